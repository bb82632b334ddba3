using Bitcache.Core;

namespace Bitcache.Cli.Demo;

/// <summary>One payment to be made, between wallets by their numbers.</summary>
internal readonly record struct PlannedPayment(int Payer, int Payee, Msat Amount);

/// <summary>Payments between a number of wallets, and what they do to each. One seed gives one plan.</summary>
internal sealed class PaymentPlan
{
    /// <summary>0.001 Bits.</summary>
    public const long AmountMsatMin = 100;
    /// <summary>5 Bits.</summary>
    public const long AmountMsatMax = 500_000;

    private readonly long[] _changes;

    public PaymentPlan(int wallets, int payments, int seed)
    {
        var random = new Random(seed);
        _changes = new long[wallets];
        var planned = new PlannedPayment[payments];
        for (var i = 0; i < payments; i++) planned[i] = Draw(random, wallets);
        foreach (var payment in planned)
        {
            _changes[payment.Payer] -= payment.Amount.Value;
            _changes[payment.Payee] += payment.Amount.Value;
        }
        Payments = planned;
    }

    public IReadOnlyList<PlannedPayment> Payments { get; }

    /// <summary>What all payments together add to a wallet, in msat; negative where it pays more than it gets.</summary>
    public long ChangeOf(int wallet) => _changes[wallet];

#pragma warning disable CA5394 // No secret is drawn here: the same plan must come again.
    private static PlannedPayment Draw(Random random, int wallets)
    {
        var payer = random.Next(wallets);
        var payee = (payer + random.Next(1, wallets)) % wallets;
        // Small payments are as frequent as large ones: the logarithm of the amount is uniform.
        var amount = AmountMsatMin * Math.Pow((double)AmountMsatMax / AmountMsatMin, random.NextDouble());
        return new PlannedPayment(payer, payee, new Msat((long)amount));
    }
#pragma warning restore CA5394
}
