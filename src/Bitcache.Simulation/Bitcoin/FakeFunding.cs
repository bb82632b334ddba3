// What the wallet does with its coins: which it spends, what it gets back, and how it pays more for a transaction that waits.

using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Simulation.Bitcoin;

/// <summary>A coin of the wallet.</summary>
internal sealed record OwnCoin(OutPoint OutPoint, TransactionOutput Output, KnownTransaction From, int Confirmations, bool Safe);

internal sealed class FakeFunding(FakeWallet wallet, FakeMempool mempool, Random random)
{
    /// <summary>RPC_MISC_ERROR: the transaction, or one that conflicts with it, is in a block.</summary>
    private const RpcError AlreadySpent = (RpcError)(-1);

    /// <summary>What is not spent, in no order: locked coins and immature ones too.</summary>
    public IReadOnlyList<OwnCoin> Coins()
    {
        var coins = new List<OwnCoin>();
        foreach (var known in wallet.Known)
        {
            var confirmations = wallet.Confirmations(known);
            if (confirmations < 1 && known.Standing != WalletStanding.InMempool) continue;
            for (uint i = 0; i < known.Transaction.Outputs.Count; i++)
            {
                var (outPoint, output) = (new OutPoint(known.Txid, i), known.Transaction.Outputs[(int)i]);
                if (wallet.IsMine(output.Script) && !wallet.IsSpent(outPoint)) coins.Add(new OwnCoin(outPoint, output, known, confirmations, IsTrusted(known)));
            }
        }
        return coins;
    }

    /// <summary>In a block, or made by nobody but the wallet.</summary>
    public bool IsTrusted(KnownTransaction known) => wallet.Confirmations(known) >= 1
        || (known.Standing == WalletStanding.InMempool
            && known.Transaction.Inputs.All(i => wallet.OwnOutput(i.Spent) is not null && IsTrusted(wallet.Find(i.Spent.Txid)!)));

    public static bool IsImmature(OwnCoin coin) => coin.From.Coinbase && coin.Confirmations < FakeWallet.CoinbaseConfirmations;

    /// <summary>Builds a transaction: the given inputs first, then confirmed coins that are not locked, in any order; what is
    /// left goes to a fresh script of the wallet at any place. Locks what it spends.</summary>
    public (BitcoinTransaction Transaction, Sats Fee) Fund(IReadOnlyList<OutPoint> given, IReadOnlyList<TransactionOutput> outputs, FeeRate rate)
    {
        var inputs = given.ToList();
        foreach (var input in given)
        {
            if (wallet.OwnOutput(input) is null) throw new CallFailedException(RpcError.WalletError, "Not found pre-selected input");
        }
        if (outputs.Any(o => o.Value > Sats.Zero && o.Value < Dust.Threshold(new ByteString(o.Script))))
            throw new CallFailedException(RpcError.WalletError, "The transaction amount is too small to send after the fee has been deducted");
        var coins = Coins().Where(c => c.Confirmations >= 1 && !IsImmature(c) && !wallet.Locked.Contains(c.OutPoint) && !given.Contains(c.OutPoint)).ToArray();
        random.Shuffle(coins);
        var built = Complete(inputs, outputs, rate);
        foreach (var coin in coins)
        {
            if (built is not null) break;
            inputs.Add(coin.OutPoint);
            built = Complete(inputs, outputs, rate);
        }
        if (built is null) throw new CallFailedException(RpcError.WalletError, "Insufficient funds");
        foreach (var input in inputs) wallet.Lock(input);
        return built.Value;
    }

    /// <summary>Builds a transaction of the given inputs and no others, whose one output pays the fee. Locks what it spends.</summary>
    public (BitcoinTransaction Transaction, Sats Fee) Join(List<OutPoint> inputs, TransactionOutput output, FeeRate rate)
    {
        if (inputs.Exists(i => wallet.OwnOutput(i) is null)) throw new CallFailedException(RpcError.WalletError, "Not found pre-selected input");
        if (SumOf(inputs) != output.Value) throw new CallFailedException(RpcError.WalletError, "Insufficient funds");
        var built = Less(inputs, output, rate) ?? throw new CallFailedException(RpcError.WalletError, "The transaction amount is too small to pay the fee");
        foreach (var input in inputs) wallet.Lock(input);
        return built;
    }

    /// <summary>The output gets what the fee leaves of the inputs.</summary>
    private (BitcoinTransaction Transaction, Sats Fee)? Less(List<OutPoint> inputs, TransactionOutput output, FeeRate rate)
    {
        var fee = FeeOf(FakeTransactions.Create(inputs, [output]), rate);
        var left = SumOf(inputs).Value - fee;
        return left < Dust.Threshold(new ByteString(output.Script)).Value ? null
            : (FakeTransactions.Create(inputs, [output with { Value = new Sats(left) }]), new Sats(fee));
    }

    /// <summary>The same inputs and payments for a higher fee, which the change pays. The change moves.</summary>
    public (BitcoinTransaction Transaction, Sats Fee) Bump(Txid txid, FeeRate rate)
    {
        if (wallet.Find(txid) is not { } known) throw new CallFailedException(RpcError.InvalidAddressOrKey, "Invalid or non-wallet transaction id");
        if (known.Transaction.Inputs.Any(i => mempool.FindOutput(i.Spent) is null))
            throw new CallFailedException(AlreadySpent, "an input is already spent");
        if (wallet.HasDescendants(known)) throw new CallFailedException(RpcError.InvalidParameter, "Transaction has descendants in the wallet");
        if (mempool.DescendantsOf(txid) > 1) throw new CallFailedException(RpcError.InvalidParameter, "Transaction has descendants in the mempool");
        var inputs = known.Transaction.Inputs.Select(i => i.Spent).ToList();
        if (inputs.Exists(i => wallet.OwnOutput(i) is null))
            throw new CallFailedException(RpcError.WalletError, "Transaction contains inputs that don't belong to this wallet");
        var payments = known.Transaction.Outputs.Where(o => !wallet.IsChange(o.Script)).ToArray();
        var change = known.Transaction.Outputs.FirstOrDefault(o => wallet.IsChange(o.Script));
        var old = SumOf(inputs) - SumOf(known.Transaction.Outputs);
        if (Complete(inputs, payments, rate, change?.Script) is not { } built) throw new CallFailedException(RpcError.WalletError, "Insufficient funds");
        var least = old.Value + FakeTransactions.VirtualBytes(built.Transaction);
        return built.Fee.Value >= least ? built
            : throw new CallFailedException(RpcError.InvalidParameter, $"Insufficient total fee {built.Fee}, must be at least {least}");
    }

    /// <summary>The transaction with these inputs, null if they do not suffice.</summary>
    private (BitcoinTransaction Transaction, Sats Fee)? Complete(
        List<OutPoint> inputs, IReadOnlyList<TransactionOutput> outputs, FeeRate rate, byte[]? changeScript = null)
    {
        if (inputs.Count == 0) return null;
        var bare = FakeTransactions.Create(inputs, outputs);
        var left = SumOf(inputs).Value - SumOf(outputs).Value;
        if (left < FeeOf(bare, rate)) return null;
        // Its size does not depend on which script it is.
        var change = new TransactionOutput(Sats.Zero, changeScript ?? [0x51, 32, .. new byte[32]]);
        var value = left - FeeOf(FakeTransactions.Create(inputs, [.. outputs, change]), rate);
        if (value < Dust.Threshold(new ByteString(change.Script)).Value) return (bare, new Sats(left));
        change = new TransactionOutput(new Sats(value), changeScript ?? wallet.NewScript(change: true).Span.ToArray());
        var all = outputs.ToList();
        all.Insert(random.Next(all.Count + 1), change);
        return (FakeTransactions.Create(inputs, all), new Sats(left - value));
    }

    private Sats SumOf(List<OutPoint> inputs) => new(inputs.Sum(i => wallet.OwnOutput(i)!.Value.Value));

    private static Sats SumOf(IReadOnlyList<TransactionOutput> outputs) => new(outputs.Sum(o => o.Value.Value));

    private static long FeeOf(BitcoinTransaction transaction, FeeRate rate) =>
        ((rate.SatsPerKvB * FakeTransactions.VirtualBytes(transaction)) + 999) / 1_000;
}
