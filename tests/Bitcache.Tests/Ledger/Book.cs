// A ledger under test: every command goes through here, keeps its record, and is followed by every check there is.

using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

/// <summary>How much is looked at after every command.</summary>
internal enum Checks
{
    None,
    Invariants,
    /// <summary>The invariants, and that whatever is not journaled leaves the whole state as it was.</summary>
    StateHash,
}

internal sealed class Book
{
    public static readonly WalletId Operator = new(0x0f);
    public static readonly ByteString AnchorScript = ByteString.FromHex("5120" + new string('a', 64));
    public static readonly UnixTime Start = new(1_800_000_000_000);
    // Half a megabyte each: books are many and short-lived.
    [ThreadStatic] private static byte[]? _scratch;
    private readonly byte[] _buffer = _scratch ??= new byte[Limits.RecordBytesMax];
    private readonly List<WalletId> _wallets = [Operator];
    // The record that covers each sequence.
    private readonly List<int> _recordOf = [];
    private ulong _salts;

    /// <param name="genesis">Another beginning than <see cref="GenesisCommand"/>.</param>
    public Book(Checks checks = Checks.StateHash, Genesis? genesis = null)
    {
        Checks = checks;
        Assert.Equal(Outcome.Accepted, Apply(genesis ?? GenesisCommand, Ledger.OperatorTenant).Outcome);
    }

    public static Genesis GenesisCommand => new(
        "bitcache.example/test", 3, 1, Operator, AnchorScript, [new KeyFingerprint(KeyPurpose.Checkpoint, new Hash256(1, 2))]);

    private Book(Book before)
    {
        (Ledger, Records, Now, ClockTrusted, Term) = (KeptState.Of(before.Ledger).Load(), before.Records, before.Now, before.ClockTrusted, before.Term);
        (_wallets, _recordOf, _salts, Checks) = (before._wallets, before._recordOf, before._salts, before.Checks);
        // P13: what is kept, what is replayed and what was there are the same.
        Assert.Equal(before.Ledger.StateHash(), Ledger.StateHash());
        Assert.Equal(before.Ledger.StateHash(), Replay(before.Records).StateHash());
    }

    public Ledger Ledger { get; } = new(0);
    public List<byte[]> Records { get; } = [];
    public UnixTime Now { get; set; } = Start;
    public bool ClockTrusted { get; set; } = true;
    /// <summary>Under which the settlement's commands are sent.</summary>
    public long Term { get; set; }
    public Checks Checks { get; set; }
    public IReadOnlyList<WalletId> Wallets => _wallets;

    public void Wait(long milliseconds) => Now = new UnixTime(Now.Milliseconds + milliseconds);

    public ApplyResult Apply(Command command, uint tenant)
    {
        var (next, hash) = (Ledger.NextSequence, Checks == Checks.StateHash ? Ledger.StateHash() : default);
        // Salts of a counter: a run is the same whenever it is repeated.
        var salt = new UInt128(0x5a17, ++_salts);
        var result = Ledger.Apply(command, new ApplyContext(Now, tenant, salt, ClockTrusted, Term: Term), _buffer);
        Same.Value(MustBeJournaled(command, result.Outcome), result.IsJournaled);
        Same.Value(next + (result.IsJournaled ? result.Sequences : 0), Ledger.NextSequence);
        if (result.IsJournaled) Keep(command, tenant, salt, result, next);
        else if (Checks == Checks.StateHash) Same.Value(hash, Ledger.StateHash());
        if (result.Outcome == Outcome.Accepted && command is CreateWallet made) _wallets.Add(made.Wallet);
        if (Checks != Checks.None) Invariants.Check(Ledger, _wallets);
        return result;
    }

    public Entry EntryAt(long sequence) => Entry.Read(Records[_recordOf[(int)sequence]], sequence);

    /// <summary>The same book after a restart: the ledger is rebuilt from its state.</summary>
    public Book Reopen() => new(this);

    /// <summary>Applies the journal to a new ledger, in the two ways there are: entry by entry, each written again and
    /// compared, and in batches. What one of them refuses the other refuses, and both come to the same state.</summary>
    /// <param name="before">What the records follow; null if they begin a journal.</param>
    public static Ledger Replay(IReadOnlyList<byte[]> records, int partition = 0, KeptState? before = null)
    {
        Ledger Begin() => before?.Load(partition) ?? new Ledger(partition);
        var (ledger, inBatches, inOneBatch) = (Begin(), Begin(), Begin());
        var scratch = _scratch ??= new byte[Limits.RecordBytesMax];
        // One for all, as where a journal is read: nothing of an earlier batch may be left in it.
        var prepared = new PreparedBatch();
        foreach (var record in records)
        {
            try
            {
                ledger.Replay(record, scratch);
            }
            catch (Exception e) when (e is FormatException or LedgerInvariantException)
            {
                var other = Record.Exception(() => inBatches.ReplayBatch(record, scratch));
                Assert.True(other is FormatException or LedgerInvariantException, $"{e.Message} against {other?.Message}");
                throw;
            }
            prepared.Fill(record, inBatches);
            inBatches.ReplayBatch(prepared, scratch);
        }
        inOneBatch.ReplayBatch(records.SelectMany(record => record).ToArray(), scratch);
        ledger.CheckEveryBalance();
        Assert.Equal(ledger.StateHash(), inBatches.StateHash());
        Assert.Equal(ledger.StateHash(), inOneBatch.StateHash());
        return ledger;
    }

    /// <summary>What took effect is journaled; so is a refusal of funds or state that a client's id must remember.</summary>
    private static bool MustBeJournaled(Command command, Outcome outcome) => outcome switch
    {
        Outcome.Accepted => true,
        Outcome.InsufficientFunds or Outcome.WalletOwes or Outcome.WalletFrozen => command is PaymentCommand or Split or RequestWithdrawal,
        Outcome.LimitExceeded or Outcome.HoldExceeded or Outcome.RefundExceeds or Outcome.TooManyHolds or Outcome.TooManyWithdrawals => true,
        _ => false,
    };

    private void Keep(Command command, uint tenant, UInt128 salt, ApplyResult result, long sequence)
    {
        Same.Value(sequence, result.Sequence);
        var record = _buffer.AsSpan(0, result.BytesWritten).ToArray();
        _recordOf.AddRange(Enumerable.Repeat(Records.Count, result.Sequences));
        Records.Add(record);
        var entry = Entry.Read(record);
        Same.Value((sequence, Now, tenant, salt, result.Outcome), (entry.Sequence, entry.Time, entry.Tenant, entry.Salt, entry.Outcome));
        Same.Value(command.GetType(), entry.Command.GetType());
        if (command is ClientCommand named)
        {
            Assert.True(named.HasSameTerms((ClientCommand)entry.Command));
            // Cancelling goes by the id of what is cancelled, which stays that one's.
            if (named.IsNamed) Same.Value(sequence, Ledger.FindId(named.Owner, named.Id));
        }
    }
}
