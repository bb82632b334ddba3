// What must be in the journal, and what the ledger must be after each entry of it: each durable entry is applied to the
// model in the journal's order. With one writer, that every recorded outcome and balance is the model's is a proof
// that the history is linearizable.

using Bitcache.Core;

namespace Bitcache.Simulation;

/// <summary>The journal as far as it is known to be durable, and the model after each of its entries.</summary>
/// <param name="admit">Whether this may be the next entry: asked of every one.</param>
internal sealed class Oracle(Action<Entry> admit)
{
    private readonly List<Model> _after = [];
    private readonly List<byte[]> _records = [];
    private readonly Dictionary<(WalletId, OperationId, Type?), long> _entries = [];
    private readonly HashSet<UInt128> _salts = [];

    /// <summary>The sequence of the next entry.</summary>
    public long Next => _after.Count;

    public Model Latest => _after[^1];

    /// <summary>What was paid, for refunds: the newest last.</summary>
    public List<(long Sequence, MovedPayment Moved)> Paid { get; } = [];

    /// <summary>What was placed, for captures: the newest last.</summary>
    public List<PlaceHold> Placed { get; } = [];

    /// <summary>The scripts of wallets, in the order in which they were given away.</summary>
    public List<ByteString> Scripts { get; } = [];

    /// <summary>The wallets, in the order in which they were made.</summary>
    public List<WalletId> Wallets { get; } = [];

    /// <summary>The model once the entries before a sequence were applied.</summary>
    public Model Before(long next) => _after[(int)next - 1];

    public Model After(long sequence) => _after[(int)sequence];

    public long? Find(ClientCommand command) => _entries.TryGetValue(Request.IdentityOf(command), out var sequence) ? sequence : null;

    /// <summary>The entry that an id names: of a withdrawal the one that asked for it.</summary>
    public long? FindNamed(WalletId owner, OperationId id) => _entries.TryGetValue((owner, id, null), out var sequence) ? sequence : null;

    public Entry EntryAt(long sequence) => Entry.Read(_records[(int)sequence], sequence);

    public bool Holds(long sequence, ReadOnlySpan<byte> record) => record.SequenceEqual(_records[(int)sequence]);

    /// <summary>Takes the next record of the journal.</summary>
    public void Take(byte[] record)
    {
        var entry = Entry.Read(record);
        var (first, count) = Entry.SequencesOf(record);
        Must.Hold(first == Next, $"Sequence {first} follows {Next - 1}.");
        Must.Hold(_salts.Add(entry.Salt), $"The salt of entry {first} was used before.");
        var after = entry.Command is Genesis genesis ? Model.After(genesis, entry.Time) : Apply(entry);
        Must.Hold(after.Entries == first + count, $"Entry {first} covers {count} sequences, by the rules {after.Entries - first}.");
        for (var i = 0; i < count; i++)
        {
            _records.Add(record);
            _after.Add(after);
        }
        for (var i = 0; i < count; i++) CheckLinks(EntryAt(first + i), after);
        Remember(entry, first, count);
    }

    private Model Apply(Entry entry)
    {
        Must.Hold(entry.Time >= Latest.Now, $"Time runs backwards at entry {entry.Sequence}.");
        admit(entry);
        var (outcome, after) = (Latest with { Now = entry.Time, ClockTrusted = false, Under = Latest.Term }).Apply(entry.Command, entry.Tenant);
        Must.Hold(outcome == entry.Outcome, $"Entry {entry.Sequence} says {entry.Outcome} of {entry.Command}, by the rules it is {outcome}.");
        return after;
    }

    /// <summary>The balances that an entry carries are those of the model.</summary>
    private static void CheckLinks(Entry entry, Model after)
    {
        var (payer, payee) = entry.Command switch
        {
            PaymentCommand c => (c.Payer, c.Payee),
            Split c => (c.Payer, c.Parts[entry.Part].Payee),
            RequestWithdrawal c => (c.Wallet, entry.Payee),
            CancelWithdrawal c => (c.Wallet, default),
            ExpireWithdrawal c => (c.Withdrawal.Wallet, default),
            ChargeWithdrawal c => (c.Withdrawal.Wallet, default),
            DecideWithdrawal c => (c.Wallet, default),
            AssignSuspense c => (default, c.Wallet),
            SettleDeposit c => (after.Deposits[c.OutPoint].Wallet, default),
            CreateWallet c => (c.Wallet, entry.Payee),
            ExpireHold c => (c.Payer, entry.Payee),
            ChangeDeposit c => (after.Addresses[c.Script], entry.Payee),
            _ => (default, default),
        };
        CheckLink(entry, HistorySides.Payer, payer, after);
        CheckLink(entry, HistorySides.Payee, payee, after);
        CheckLink(entry, HistorySides.Operator, after.Operator, after);
    }

    private static void CheckLink(Entry entry, HistorySides side, WalletId wallet, Model after)
    {
        if ((entry.Sides & side) == 0) return;
        var (said, is_) = (entry.LinkOf(side).Available.Value, after.Wallets[wallet].Available);
        Must.Hold(said == is_, $"Entry {entry.Sequence} leaves the {side} with {said}, by the rules with {is_}.");
    }

    private void Remember(Entry entry, long first, int count)
    {
        if (entry.Command is ClientCommand named)
        {
            Must.Hold(_entries.TryAdd(Request.IdentityOf(named), first), $"P5: the id of entry {first} has an entry already.");
        }
        if (entry.Outcome != Outcome.Accepted) return;
        if (entry.Command is PlaceHold hold) Placed.Add(hold);
        if (entry.Command is AssignAddress address) Scripts.Add(address.Script);
        if (entry.Command is AssignAddresses many) Scripts.AddRange(many.Addresses.Select(a => a.Script));
        if (entry.Command is CreateWallet wallet) Wallets.Add(wallet.Wallet);
        for (var sequence = first; sequence < first + count; sequence++)
        {
            if ((count == 1 ? entry : EntryAt(sequence)).Moved is { } moved) Paid.Add((sequence, moved));
        }
    }
}
