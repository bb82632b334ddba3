// An operator in memory, with a real ledger and the simulated network's blocks: deposits, payments, holds, withdrawals, and epochs
// that are closed, stated and anchored. Everything is a function of the story and of its lies: whoever lies rebuilds every hash,
// signature, tree and anchor behind the lie, so that nothing but what the lie is about can show it.

using System.Collections.Concurrent;
using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Simulation.Bitcoin;
using Bitcache.Tests.Bitcoin;
using LedgerState = Bitcache.Core.Ledger;

namespace Bitcache.Tests.Audit.Auditor;

/// <summary>What an operator may do otherwise than an honest one.</summary>
internal sealed record SampleLies
{
    /// <summary>What stands in the log instead of an entry; null leaves it out.</summary>
    public Func<byte[], byte[]?> Entry { get; init; } = static entry => entry;

    /// <summary>What is published of an epoch's balances.</summary>
    public Func<SampleOperator, long, uint, Dictionary<WalletId, long>, SampleTree> Tree { get; init; } =
        static (_, epoch, height, balances) => SampleTree.Honest(SampleOperator.Seed, epoch, height, balances);

    /// <summary>Which coins are listed for an epoch.</summary>
    public Func<SampleOperator, long, IReadOnlyList<ReserveCoin>, IReadOnlyList<ReserveCoin>> Reserves { get; init; } = static (_, _, coins) => coins;

    /// <summary>What is listed for an epoch as paid, and left out of what is owed.</summary>
    public Func<long, IReadOnlyList<PaidWithdrawal>, IReadOnlyList<PaidWithdrawal>> Paid { get; init; } = static (_, paid) => paid;

    /// <summary>Which block is said to be the newest at an epoch's cut.</summary>
    public Func<SampleOperator, long, FakeBlock> Block { get; init; } = static (self, _) => self.Chain.Tip;

    /// <summary>What happens right before an epoch is cut, and right behind that.</summary>
    public Action<SampleOperator, long> BeforeCut { get; init; } = static (_, _) => { };
    public Action<SampleOperator, long> BehindCut { get; init; } = static (_, _) => { };

    /// <summary>Which the genesis entry names.</summary>
    public IReadOnlyList<KeyFingerprint> Keys { get; init; } = [];

    /// <summary>What is published as the proof of an epoch's reserves; null for none. The second has one.</summary>
    public Func<SampleEpoch, byte[]?> Proof { get; init; } = static epoch => epoch.Statement.Epoch == 2 ? SampleOperator.Prove(epoch) : null;

    /// <summary>Another coin than it should be is spent by the first input of an epoch's anchor.</summary>
    public Func<SampleOperator, long, OutPoint?> AnchorSpends { get; init; } = static (_, _) => null;
}

/// <summary>An epoch as it was stated and anchored.</summary>
internal sealed record SampleEpoch(EpochStatement Statement, int Index, SampleTree Tree, byte[] Withdrawals, byte[] Reserves)
{
    /// <summary>That its coins are ours.</summary>
    public byte[]? Proof { get; set; }
    public AnchorRecord? Record { get; set; }
    public BitcoinTransaction? Anchor { get; set; }
    public FakeBlock? Block { get; set; }
}

internal sealed class SampleOperator
{
    public const string Origin = "ledger.example/bits";
    public const uint Tenant = 1;
    public static readonly byte[] KeySeed = SHA256.HashData("the operator's key"u8);
    public static readonly LiabilitySeed Seed = new(SHA256.HashData("the operator's tree"u8));
    // By script. Static fields are made in their order: this one before the scripts.
    private static readonly ConcurrentDictionary<ByteString, SampleKey> Keys = new();
    public static readonly ByteString AnchorScript = Script("anchor", isTaproot: true);
    public static readonly WalletId Operator = new((UInt128)0x0f << 64);
    public static readonly WalletId Alice = new((UInt128)0xa1 << 64);
    public static readonly WalletId Bob = new((UInt128)0xb0 << 64);
    public static readonly WalletId Carol = new((UInt128)0xca << 64);
    private static readonly Sats FeeCap = new(2_000);
    private static readonly Sats Fee = new(700);
    private static readonly Sats AnchorValue = new(1_000);
    // Coins that wandering makes are too small to pay with.
    private static readonly Sats WanderedMax = new(5_000);
    private static readonly ByteString Change = Script("change", isTaproot: true);

    private readonly SampleLies _lies;
    // What happens beside the story; null for nothing.
    private readonly Random? _random;
    private readonly LedgerState _ledger = new(0) { KeepsBalances = true };
    private readonly byte[] _buffer = new byte[Limits.RecordBytesMax];
    private readonly List<byte[]> _entries = [];
    private readonly MerkleLog _log = new(new MemoryHashStore());
    private readonly List<SampleEpoch> _epochs = [];
    // Confirmed and unspent, in the order in which they came.
    private readonly List<(OutPoint Output, TransactionOutput Coin)> _coins = [];
    private OutPoint? _anchorOutput;
    private UnixTime _now = new(1_800_000_000_000);
    private ulong _numbers;

    private SampleOperator(SampleLies lies, Random? random) => (_lies, _random) = (lies, random);

    public FakeChain Chain { get; } = new();
    public IReadOnlyList<byte[]> Entries => _entries;
    public IReadOnlyList<SampleEpoch> Epochs => _epochs;
    public MerkleLog Log => _log;

    /// <summary>One that is no anchor's.</summary>
    public OutPoint SpareCoin => _coins.First(c => c.Output != _anchorOutput).Output;

    public static Pins Pins(Txid? first) => new(VerifierKey.FromSeed(Origin, KeySeed), AnchorScript.Span.ToArray(), first, BitcoinNetwork.Regtest);

    /// <summary>The story, of so many epochs.</summary>
    /// <param name="seed">Of what happens beside it.</param>
    public static SampleOperator Run(SampleLies? lies = null, int epochs = 3, int? seed = null)
    {
        var one = new SampleOperator(lies ?? new SampleLies(), seed is { } of ? new Random(of) : null);
        one.Begin();
        for (var epoch = 1; epoch <= epochs; epoch++) one.Live(epoch);
        return one;
    }

    private void Begin()
    {
        Apply(new Genesis(Origin, (byte)BitcoinNetwork.Regtest, 1, Operator, AnchorScript, _lies.Keys), LedgerState.OperatorTenant);
        foreach (var wallet in new[] { Alice, Bob, Carol }) Apply(new CreateWallet(NewId(), Tenant, wallet), Tenant);
        Deposit(Operator, AddressPurpose.OperatorTopUp, 60_000);
        Deposit(Alice, AddressPurpose.Deposit, 200_000);
        Deposit(Bob, AddressPurpose.Deposit, 100_000);
    }

    /// <summary>What happens in an epoch, and its end.</summary>
    private void Live(int epoch)
    {
        for (var i = 0; i < 100; i++) Pay(Alice, i % 2 == 0 ? Bob : Carol, 1_000 + (epoch * 100) + i);
        var hold = new PlaceHold(NewId(), Bob, Carol, new Msat(500_000), 0, ByteString.Empty, new UnixTime(_now.Milliseconds + 3_600_000));
        Apply(hold, Tenant);
        Apply(new CaptureHold(NewId(), Bob, Carol, new Msat(200_000), 0, ByteString.Empty, hold.Id, epoch == 2), Tenant);
        var withdrawal = new RequestWithdrawal(NewId(), Alice, Script($"payout {epoch}"), new Sats(10_000 + epoch), false);
        Apply(withdrawal, Tenant);
        Wander(epoch);
        if (_ledger.LiveFamilies() is [var before]) Apply(new FinishFamily(before.Number), LedgerState.OperatorTenant);

        _lies.BeforeCut(this, epoch);
        Apply(new EpochCut(NewId(), epoch), LedgerState.OperatorTenant);
        _lies.BehindCut(this, epoch);
        State(epoch);
        Anchor(epoch, withdrawal);
        // The second epoch's family is still to become final when the third is closed.
        if (epoch != 2) Apply(new FinishFamily(epoch), LedgerState.OperatorTenant);
        else Pay(Alice, Bob, 77);
    }

    /// <summary>Payments, deposits, and holds of which some stay open over the epoch's end.</summary>
    private void Wander(int epoch)
    {
        WalletId[] wallets = [Alice, Bob, Carol];
        for (var left = _random?.Next(60) ?? 0; left > 0; left--)
        {
            var (payer, payee) = (wallets[_random!.Next(3)], wallets[_random.Next(3)]);
            if (payer == payee || _ledger.FindWallet(payer)!.Value.Available < new Msat(1_000)) continue;
            switch (_random.Next(8))
            {
                case 0:
                    Deposit(payee, AddressPurpose.Deposit, 1 + _random.Next((int)WanderedMax.Value), $"{epoch}-{left}");
                    break;
                case 1 or 2:
                    var hold = new PlaceHold(NewId(), payer, payee, new Msat(1 + _random.Next(1_000)), 0, ByteString.Empty, new UnixTime(_now.Milliseconds + 3_600_000));
                    Apply(hold, Tenant);
                    if (_random.Next(2) == 0) Apply(new ReleaseHold(NewId(), payer, payee, default, 0, ByteString.Empty, hold.Id), Tenant);
                    break;
                default:
                    Pay(payer, payee, 1 + _random.Next(1_000));
                    break;
            }
        }
    }

    private void State(long epoch)
    {
        var block = _lies.Block(this, epoch);
        var kept = _ledger.FindBalances(epoch)!;
        var balances = new Dictionary<WalletId, long>();
        for (var i = 0; i < kept.WalletCount; i++) balances[kept[i].Id] = (kept[i].Available + kept[i].Held + kept[i].Frozen).Value;
        _ledger.Release(kept);
        var paid = new List<PaidWithdrawal>();
        foreach (var family in _ledger.LiveFamilies())
        {
            var transaction = Parse(family.Attempts[0].Transaction);
            balances[Operator] -= Fee.ToMsat().Value;
            foreach (var key in family.Withdrawals)
            {
                var withdrawal = _ledger.FindWithdrawal(key)!;
                var at = transaction.Outputs.ToList().FindIndex(o => withdrawal.Script.Span.SequenceEqual(o.Script));
                paid.Add(new PaidWithdrawal(new OutPoint(transaction.Txid, (uint)at), withdrawal.Amount, withdrawal.Script));
                balances[key.Wallet] -= withdrawal.Amount.ToMsat().Value;
            }
        }
        var tree = _lies.Tree(this, epoch, (uint)block.Height, balances);
        var withdrawals = WithdrawalsFile.Write(_lies.Paid(epoch, paid));
        var coins = _coins.Select(c => ToReserve(c.Output)).Order(Comparer<ReserveCoin>.Create((a, b) => ReservesFile.Compare(a.Output, b.Output))).ToArray();
        var reserves = new ReservesFile(epoch, (uint)block.Height, block.Hash, Origin, _lies.Reserves(this, epoch, coins)).Write();
        var cut = _entries.Count;
        var statement = new EpochStatement(epoch, cut, (uint)block.Height, block.Hash, tree.Root, new Msat(tree.Total), Sha256.Of(withdrawals), Sha256.Of(reserves));
        var stated = new SampleEpoch(statement, _entries.Count, tree, withdrawals, reserves);
        stated.Proof = _lies.Proof(stated);
        _epochs.Add(stated);
        Apply(new StateEpoch(statement), LedgerState.OperatorTenant);
    }

    /// <summary>A coin with the transaction that made it and the proof of its block.</summary>
    public ReserveCoin ToReserve(OutPoint output)
    {
        var block = Chain.BlockOf(output.Txid)!;
        var transaction = block.Transactions.First(t => t.Txid == output.Txid);
        var proof = BlockProof.Build([.. block.Transactions.Select(t => t.Txid)], output.Txid);
        var made = transaction.Outputs[(int)output.Index];
        return new ReserveCoin(output, made.Value, new ByteString(made.Script), (uint)block.Height, new ByteString(transaction.Stripped), new ByteString(block.Bytes), proof.Position, proof.Siblings);
    }

    /// <summary>The family of an epoch: its anchor, and the withdrawal that is due.</summary>
    private void Anchor(int epoch, RequestWithdrawal withdrawal)
    {
        var record = AnchorRecord.Create(Origin, epoch, _log.Size, _log.Root());
        Apply(new OpenFamily(epoch, FeeCap, new AnchorTerms(epoch, record.TreeSize, record.Root), [new WithdrawalKey(Alice, withdrawal.Id)]), LedgerState.OperatorTenant);
        var transaction = Build(record, _lies.AnchorSpends(this, epoch) ?? _anchorOutput, [new TransactionOutput(withdrawal.Amount, withdrawal.Script.Span.ToArray())]);
        Apply(new SignAttempt(epoch, 1, transaction.Txid, Fee, new ByteString(transaction.Stripped), (uint)Chain.Tip.Height), LedgerState.OperatorTenant);
        var block = Mine(transaction);
        var proof = BlockProof.Build([.. block.Transactions.Select(t => t.Txid)], transaction.Txid);
        Apply(new ConfirmFamily(epoch, 1, (uint)block.Height, block.Hash, new ByteString(block.Bytes), (uint)proof.Position, proof.Siblings), LedgerState.OperatorTenant);
        (_epochs[^1].Record, _epochs[^1].Anchor, _epochs[^1].Block) = (record, transaction, block);
    }

    /// <summary>An anchor's transaction of all coins: the anchor's output first, then what is paid, the commitment and the change.</summary>
    public BitcoinTransaction Build(AnchorRecord record, OutPoint? first, IReadOnlyList<TransactionOutput> payments)
    {
        List<OutPoint> inputs = [.. first is { } output ? (OutPoint[])[output] : [], .. _coins.Where(c => c.Coin.Value > WanderedMax).Select(c => c.Output).Where(o => o != first).Take(3)];
        var value = inputs.Sum(i => Chain.FindCoin(i)!.Value.Output.Value.Value) - Fee.Value - AnchorValue.Value - payments.Sum(p => p.Value.Value);
        return FakeTransactions.Create(inputs,
        [
            .. payments, new TransactionOutput(AnchorValue, AnchorScript.Span.ToArray()), new TransactionOutput(Sats.Zero, record.Script()),
            new TransactionOutput(new Sats(value), Change.Span.ToArray()),
        ]);
    }

    /// <summary>Puts a transaction into a block, and counts the coins that are our own.</summary>
    public FakeBlock Mine(params IReadOnlyList<BitcoinTransaction> transactions)
    {
        var block = Chain.Mine(Chain.Tip, Script("miner"), transactions);
        Chain.Activate();
        foreach (var transaction in transactions)
        {
            _coins.RemoveAll(c => transaction.Inputs.Any(i => i.Spent == c.Output));
            for (var i = 0; i < transaction.Outputs.Count; i++)
            {
                var (output, made) = (new OutPoint(transaction.Txid, (uint)i), transaction.Outputs[i]);
                var script = new ByteString(made.Script);
                if (script == AnchorScript) _anchorOutput = output;
                if (script == AnchorScript || script == Change || _ledger.FindAddress(script) is not null) _coins.Add((output, made));
            }
        }
        return block;
    }

    /// <summary>Blocks are mined, and the ledger's time goes on as far as theirs.</summary>
    public void PassBlocks(int count)
    {
        for (var i = 0; i < count; i++) Mine();
        Assert.True(BlockHeader.TryParse(Chain.Tip.Bytes.AsSpan(0, BlockHeader.Bytes), out var header));
        _now = header.Time;
    }

    /// <summary>Epochs that stay without a statement, as when the node is away.</summary>
    public void CutOnly(int count)
    {
        for (var left = count; left > 0; left--) Apply(new EpochCut(NewId(), _ledger.LastEpoch!.Number + 1), LedgerState.OperatorTenant);
    }

    private void Deposit(WalletId wallet, AddressPurpose purpose, long sats, string name = "")
    {
        var script = Script($"address of {wallet}{name}");
        Apply(new AssignAddress(NewId(), wallet, purpose, script), purpose == AddressPurpose.Deposit ? Tenant : LedgerState.OperatorTenant);
        var transaction = FakeTransactions.Create([Chain.NewWorldCoin()], [new TransactionOutput(new Sats(sats), script.Span.ToArray())]);
        var block = Mine(transaction);
        var output = new OutPoint(transaction.Txid, 0);
        Apply(new ChangeDeposit(output, DepositState.Credited, false, script, new Sats(sats), block.Hash, (uint)block.Height), LedgerState.OperatorTenant);
        Apply(new ChangeDeposit(output, DepositState.Final, false, script, new Sats(sats), block.Hash, (uint)block.Height), LedgerState.OperatorTenant);
    }

    private void Pay(WalletId payer, WalletId payee, long msat) => Apply(new Transfer(NewId(), payer, payee, new Msat(msat), 0, ByteString.Empty), Tenant);

    /// <summary>Applies a command and logs what it says.</summary>
    private void Apply(Command command, uint tenant)
    {
        var result = _ledger.Apply(command, new ApplyContext(_now, tenant, new UInt128(0x5a17, ++_numbers), ClockTrusted: true), _buffer);
        Assert.Equal(Outcome.Accepted, result.Outcome);
        _now = new UnixTime(_now.Milliseconds + 1);
        if (_lies.Entry(Bitcache.Core.Entry.StatementOf(_buffer.AsSpan(0, result.BytesWritten)).ToArray()) is not { } entry) return;
        _entries.Add(entry);
        _log.Append(Rfc6962.LeafHash(entry));
    }

    private OperationId NewId() => OperationId.Create(_now, ++_numbers);

    /// <summary>Of a key of this name: what is ours is signed for.</summary>
    public static ByteString Script(string name, bool isTaproot = false)
    {
        var key = new SampleKey(name);
        var script = isTaproot ? key.TaprootScript : key.KeyHashScript;
        Keys[script] = key;
        return script;
    }

    /// <summary>The proof of an epoch's reserves, by the keys of its coins.</summary>
    public static byte[] Prove(SampleEpoch epoch)
    {
        Assert.True(ReservesFile.TryParse(epoch.Reserves, Origin, out var reserves, out var refusal), refusal);
        return SampleProof.Make(reserves, (hashes, input, coin) => SampleProof.SignBy(KeyOf(coin), hashes, input, coin));
    }

    public static SampleKey KeyOf(ReserveCoin coin) => Keys[coin.Script];

    private static BitcoinTransaction Parse(ByteString raw) => BitcoinTransaction.TryParse(raw.Span, out var transaction) ? transaction : throw new InvalidOperationException();
}
