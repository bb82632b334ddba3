using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Settlement;

/// <summary>What happens around a node, as a seed draws it: payments to our addresses and their double spends, blocks with all
/// or some of them, reorganisations of any depth. Remembers how deep each of our outputs has ever been.</summary>
internal sealed class DepositWorld
{
    private const int FirstBlocks = 20;
    private static readonly Sats Fee = new(1_000);
    private static readonly Sats HighFee = new(60_000);
    private static readonly long[] Amounts = [500, 20_000, 1_500_000];

    private readonly Random _random;
    private readonly List<BitcoinTransaction> _payments = [];
    private readonly List<FakeBlock> _invalidated = [];
    private readonly Dictionary<OutPoint, int> _deepest = [];

    public DepositWorld(int seed)
    {
        _random = new Random(seed);
        Node = new FakeNode(_random.Next(), "wallet") { IsWalletLoaded = true };
        for (var i = 0; i < FirstBlocks; i++) Node.Mine();
    }

    public FakeNode Node { get; }
    public List<string> Addresses { get; } = [];
    public int Reorganisations { get; private set; }
    public int DoubleSpends { get; private set; }

    /// <summary>Every output to one of our addresses that the wallet knows, and its transaction.</summary>
    public IEnumerable<(OutPoint OutPoint, KnownTransaction Transaction)> Ours =>
        from known in Node.Wallet.Known
        from index in Enumerable.Range(0, known.Transaction.Outputs.Count)
        where Node.Wallet.IsMine(known.Transaction.Outputs[index].Script)
        select (new OutPoint(known.Txid, (uint)index), known);

    /// <summary>The most confirmations that an output has ever had.</summary>
    public int DeepestOf(OutPoint output) => _deepest.GetValueOrDefault(output);

    public void Step()
    {
        switch (_random.Next(16))
        {
            case < 4:
                Pay();
                break;
            case < 8:
                Node.Mine();
                break;
            case 8:
                Node.Mine(Node.Chain.Tip, []);
                break;
            case 9 or 10:
                if (DoubleSpend() is { } conflict) Node.Send(conflict);
                break;
            case 11 or 12:
                Reorganise();
                break;
            case 13:
                Overtake();
                break;
            case 14:
                if (_invalidated.Count > 0) Node.Reconsider(_invalidated[_random.Next(_invalidated.Count)]);
                break;
            default:
                DropOrRestart();
                break;
        }
        Measure();
    }

    /// <summary>Calm: blocks with everything that waits.</summary>
    public void Mine(int blocks)
    {
        for (; blocks > 0; blocks--) Node.Mine();
        Measure();
    }

    private void Pay()
    {
        var payment = Node.Payment(AnyAddress(), AnyAmount(), Fee);
        Must.Hold(Node.Send(payment) is null, "A payment from outside is refused.");
        _payments.Add(payment);
    }

    /// <summary>A transaction that spends what a payment spends, to one of our addresses or to nobody's.</summary>
    private BitcoinTransaction? DoubleSpend()
    {
        if (_payments.Count == 0) return null;
        var payment = _payments[^(1 + _random.Next(Math.Min(10, _payments.Count)))];
        var to = _random.Next(3) == 0 ? AnyAddress() : Node.NewStranger();
        var conflict = Node.Payment(to, AnyAmount(), HighFee, [.. payment.Inputs.Select(i => i.Spent)]);
        _payments.Add(conflict);
        DoubleSpends++;
        return conflict;
    }

    /// <summary>Takes blocks off the chain and mines others, more of them as a rule. A double spend may be in the first.</summary>
    private void Reorganise()
    {
        var depth = 1 + _random.Next(_random.Next(8) == 0 ? Node.Chain.Tip.Height : 8);
        var block = Node.Chain.At(Math.Max(1, Node.Chain.Tip.Height + 1 - depth))!;
        _invalidated.Add(block);
        Node.Invalidate(block);
        Measure();
        Reorganisations++;
        for (var i = _random.Next(8) == 0 ? 1 : 0; i <= depth; i++)
        {
            var conflict = i == 0 && _random.Next(2) == 0 ? DoubleSpend() : null;
            if (conflict is not null && Node.Chain.FindCoin(conflict.Inputs[0].Spent) is not null) Node.Mine(Node.Chain.Tip, [conflict]);
            else if (_random.Next(3) == 0) Node.Mine();
            else Node.Mine(Node.Chain.Tip, []);
            Measure();
        }
    }

    /// <summary>Another branch arrives, and counts once it is longer.</summary>
    private void Overtake()
    {
        var depth = 1 + _random.Next(6);
        var parent = Node.Chain.At(Math.Max(0, Node.Chain.Tip.Height - depth))!;
        while (parent.Height <= Node.Chain.Tip.Height && parent != Node.Chain.Tip)
        {
            parent = Node.Mine(parent, []);
            Measure();
        }
        Reorganisations++;
    }

    private void DropOrRestart()
    {
        var waiting = Node.Mempool.Transactions.ToArray();
        switch (_random.Next(3))
        {
            case 0 when waiting.Length > 0:
                Node.Evict(waiting[_random.Next(waiting.Length)].Txid);
                break;
            case 1:
                Node.Restart();
                break;
            default:
                Node.Mine(AnyAddress());
                break;
        }
    }

    private string AnyAddress() => Addresses[_random.Next(Addresses.Count)];

    private Sats AnyAmount() => new(Amounts[_random.Next(Amounts.Length)] + _random.Next(100));

    private void Measure()
    {
        foreach (var (output, known) in Ours) _deepest[output] = Math.Max(DeepestOf(output), Node.Wallet.Confirmations(known));
    }
}
