// An honest ledger as `bench audit` needs it, with all that is published of it: a partition over its journal, the engine's own
// log, books, receipts and export, and a simulated chain of which an auditor without a node sees headers and transactions.
//
// Every wallet gets an address, and by default a deposit; then they pay one another. In each epoch some withdraw: most by
// families that become final in it, the others by that which carries the anchor, and becomes final in the next one.

using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Export;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Engine.Snapshots;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Benchmarks.Audit;

internal sealed class AuditBook : IAsyncDisposable
{
    private const string Origin = "bench.example/log";
    private const int WindowIds = 4 << 20;
    private const int BlockPayments = 4_096;
    private const int Blocks = 4;
    private const int AnchoredWithdrawals = 80;
    private const int WithdrawalsOfFamily = 200;
    private const int CoinsMax = 40;
    private static readonly Sats Deposit = new(20_000);
    private static readonly Sats TopUp = new(100_000_000);
    private static readonly Sats Withdrawal = new(1_000);
    private static readonly Sats Fee = new(2_000);
    private static readonly Sats FeeCap = new(10_000);
    private static readonly Sats AnchorValue = new(1_000);
    private static readonly ByteString AnchorScript = Taproot("anchor"u8);
    private static readonly ByteString Change = Taproot("change"u8);

    private readonly LinuxFileSystem _files = new();
    private readonly string _folder;
    private readonly Partition _partition;
    private readonly PartitionSet _partitions;
    private readonly LogKeeper _log;
    private readonly EpochFolder _epochs;
    private readonly EpochPublication _publication;
    private readonly LiabilityKey _key;
    private readonly FakeChain _chain = new();
    // Our own coins, unspent; deposits are in them together, as an operator keeps them.
    private readonly List<(OutPoint Output, Sats Amount, ByteString Script)> _coins = [];
    private readonly WalletId _operator = ClientIds.NextWallet();
    private WalletId[] _wallets = [];
    private EngineLoad? _load;
    private OutPoint? _anchorOutput;
    private Txid? _firstAnchor;
    private long? _open;
    private long _families;
    private long _epoch;

    private AuditBook(string folder, RecoveredLedger<FileJournal> book, Partition partition)
    {
        (_folder, _partition, _partitions) = (folder, partition, new PartitionSet([partition]));
        var keys = Path.Combine(folder, "keys");
        _files.CreateFolder(keys);
        _key = LiabilityKey.Open(_files, keys, mayCreate: true);
        _log = new LogKeeper(new SettlementTerm(_partitions), CheckpointKey.Open(_files, keys, Origin, mayCreate: true), SignedMark.Open(_files, keys), _files, Path.Combine(folder, "log"));
        _epochs = new EpochFolder(_files, Path.Combine(folder, "epochs"));
        _publication = new EpochPublication(_partitions, new Receipts(_partitions, _log, Origin), _epochs, _key, Origin, TimeProvider.System);
        book.Ledger.KeepsBalances = true;
    }

    /// <summary>Entries so far.</summary>
    public Task<long> CountAsync() => _partition.QueryAsync(ledger => ledger.NextSequence);

    /// <summary>Begins a ledger: wallets with addresses, and so many of them with a deposit; the others get of it.</summary>
    public static async Task<AuditBook> CreateAsync(string folder, int wallets, int deposits)
    {
        var recovered = LedgerBook.Open(folder);
        var book = new AuditBook(folder, recovered, LedgerBook.Start(recovered, WindowIds));
        await book.SubmitAsync(new Genesis(Origin, (byte)BitcoinNetwork.Regtest, 1, book._operator, AnchorScript, []));
        await book._log.ResumeAsync();
        await book.FundAsync(wallets, deposits);
        return book;
    }

    /// <summary>An epoch with so many payments: what happens in it, its cut and statement, and its anchor in a block.</summary>
    public async Task LiveEpochAsync(long payments)
    {
        _load!.Reset();
        await _load.RunAsync(() => _load.Accepted < payments);
        if (_open is { } open) await SubmitAsync(new FinishFamily(open));
        for (var family = 0; family < 4; family++) await SubmitAsync(new FinishFamily(await PayOutAsync(await WithdrawAsync(WithdrawalsOfFamily), null)));
        var due = await WithdrawAsync(AnchoredWithdrawals);
        await StateAsync(++_epoch);
        var epoch = await _partition.QueryAsync(ledger => ledger.FindEpoch(_epoch)!);
        var (size, root) = await _log.CutBehindAsync(epoch);
        _open = await PayOutAsync(due, new AnchorTerms(_epoch, size, root));
        await _log.AdvanceAsync();
    }

    /// <summary>Writes what is published, and what auditors get, as <c>bitcache export</c> does.</summary>
    public async Task ExportAsync(string open, string auditors)
    {
        using var everybodys = new ExportFolder(_files, open, isPublic: true);
        using var authorised = new ExportFolder(_files, auditors, isPublic: false);
        await new LogExport(ReadLogAsync, everybodys, authorised).RunAsync(CancellationToken.None, new EpochExport(FindFileAsync, everybodys, authorised).RunAsync);
    }

    public async ValueTask DisposeAsync()
    {
        _publication.Dispose();
        _log.Dispose();
        await _partitions.DisposeAsync();
    }

    private async Task FundAsync(int count, int deposits)
    {
        _wallets = new WalletId[count];
        var scripts = new ByteString[count];
        await InBlocksAsync(count, i => SubmitAsync(new CreateWallet(NewId(), 0, _wallets[i] = ClientIds.NextWallet())));
        await InBlocksAsync(count, i => SubmitAsync(new AssignAddress(NewId(), _wallets[i], AddressPurpose.Deposit, scripts[i] = Taproot(BitConverter.GetBytes(i)))));
        var top = Taproot("top-up"u8);
        await SubmitAsync(new AssignAddress(NewId(), _operator, AddressPurpose.OperatorTopUp, top));
        // Who has no deposit of his own is paid by the operator.
        var topUp = new Sats(TopUp.Value + (Deposit.Value * (count - deposits)));
        var block = Mine(Gather(new Sats(topUp.Value + (Deposit.Value * deposits))));
        foreach (var state in (DepositState[])[DepositState.Credited, DepositState.Final])
            await SubmitAsync(new ChangeDeposit(new OutPoint(IdOf(-1), 0), state, Suspense: false, top, topUp, block.Hash, (uint)block.Height));
        await InBlocksAsync(deposits, async i =>
        {
            foreach (var state in (DepositState[])[DepositState.Credited, DepositState.Final])
                await SubmitAsync(new ChangeDeposit(new OutPoint(IdOf(i), 1), state, Suspense: false, scripts[i], Deposit, block.Hash, (uint)block.Height));
        });
        await InBlocksAsync(count - deposits, i => SubmitAsync(new Transfer(NewId(), _operator, _wallets[deposits + i], Deposit.ToMsat(), 0, ByteString.Empty)));
        _load = new EngineLoad(_partition, _wallets, BlockPayments, Blocks);
    }

    /// <summary>A transaction of the world outside that makes coins of our own.</summary>
    private BitcoinTransaction Gather(Sats amount) => FakeTransactions.Create(
        [_chain.NewWorldCoin()], [.. Enumerable.Range(0, CoinsMax).Select(_ => new TransactionOutput(new Sats((amount.Value / CoinsMax) + 1), Change.Span.ToArray()))]);

    private async Task<WithdrawalKey[]> WithdrawAsync(int count)
    {
        var keys = new WithdrawalKey[count];
        await InBlocksAsync(count, async i =>
        {
            var (wallet, id) = (_wallets[RandomNumberGenerator.GetInt32(_wallets.Length)], NewId());
            await SubmitAsync(new RequestWithdrawal(id, wallet, Taproot([.. "payout"u8, .. BitConverter.GetBytes(_families), .. BitConverter.GetBytes(i)]), Withdrawal, Max: false));
            keys[i] = new WithdrawalKey(wallet, id);
        });
        return keys;
    }

    /// <summary>A family whose transaction is in a block.</summary>
    private async Task<long> PayOutAsync(WithdrawalKey[] due, AnchorTerms? anchor)
    {
        var number = ++_families;
        var scripts = await _partition.QueryAsync(ledger => due.Select(key => ledger.FindWithdrawal(key)!.Script).ToArray());
        await SubmitAsync(new OpenFamily(number, FeeCap, anchor, due));
        var transaction = Build(scripts, anchor is null ? null : AnchorChain.ToRecord(anchor, Origin));
        await SubmitAsync(new SignAttempt(number, 1, transaction.Txid, Fee, new ByteString(FakeTransactions.Sign(transaction)), (uint)_chain.Tip.Height));
        var block = Mine(transaction);
        var proof = BlockProof.Build([.. block.Transactions.Select(t => t.Txid)], transaction.Txid);
        await SubmitAsync(new ConfirmFamily(number, 1, (uint)block.Height, block.Hash, new ByteString(block.Bytes), (uint)proof.Position, proof.Siblings));
        if (anchor is not null) _firstAnchor ??= transaction.Txid;
        return number;
    }

    private BitcoinTransaction Build(ByteString[] scripts, AnchorRecord? record)
    {
        var coin = _coins.First(c => c.Script != AnchorScript);
        List<OutPoint> inputs = [coin.Output];
        List<TransactionOutput> outputs = [.. scripts.Select(script => new TransactionOutput(Withdrawal, script.Span.ToArray()))];
        var left = coin.Amount.Value - Fee.Value - (Withdrawal.Value * scripts.Length);
        if (record is not null)
        {
            if (_anchorOutput is { } before) inputs.Insert(0, before);
            else left -= AnchorValue.Value;
            outputs.Add(new TransactionOutput(AnchorValue, AnchorScript.Span.ToArray()));
            outputs.Add(new TransactionOutput(Sats.Zero, record.Script()));
        }
        outputs.Add(new TransactionOutput(new Sats(left), Change.Span.ToArray()));
        return FakeTransactions.Create(inputs, outputs);
    }

    /// <summary>Puts a transaction into a block, and keeps account of our coins.</summary>
    private FakeBlock Mine(BitcoinTransaction transaction)
    {
        var block = _chain.Mine(_chain.Tip, Taproot("miner"u8), [transaction]);
        _chain.Activate();
        _coins.RemoveAll(c => transaction.Inputs.Any(i => i.Spent == c.Output));
        for (var i = 0; i < transaction.Outputs.Count; i++)
        {
            var (output, script) = (new OutPoint(transaction.Txid, (uint)i), new ByteString(transaction.Outputs[i].Script));
            if (script == AnchorScript) _anchorOutput = output;
            if (script == AnchorScript || script == Change) _coins.Add((output, transaction.Outputs[i].Value, script));
        }
        return block;
    }

    /// <summary>Closes the books. Nothing is in a block that is not final: every withdrawal that is under way is owed.</summary>
    private async Task StateAsync(long epoch)
    {
        await SubmitAsync(new EpochCut(NewId(), epoch));
        var kept = await _partition.QueryAsync(ledger => ledger.FindBalances(epoch)!);
        var tip = _chain.Tip;
        var coins = _coins.Select(c => ToReserve(c.Output)).Order(Comparer<ReserveCoin>.Create((a, b) => ReservesFile.Compare(a.Output, b.Output))).ToArray();
        var (withdrawals, reserves) = (WithdrawalsFile.Write([]), new ReservesFile(epoch, (uint)tip.Height, tip.Hash, Origin, coins).Write());
        var accounts = EpochLiabilities.Collect(_partitions, [kept], new CutFacts(new ChainCursor((uint)tip.Height, tip.Hash), [], [], [Sats.Zero]), _operator);
        var tree = LiabilityTree.Build(_key.Seed, epoch, (uint)tip.Height, accounts);
        _epochs.WriteLargeFiles(epoch, tree);
        _epochs.Write(epoch, WithdrawalsFile.Name, withdrawals);
        _epochs.Write(epoch, ReservesFile.Name, reserves);
        await _partition.QueryAsync(ledger =>
        {
            ledger.Release(kept);
            return true;
        });
        var (size, _) = await _log.CutAtAsync(epoch);
        await SubmitAsync(new StateEpoch(new EpochStatement(epoch, size, (uint)tip.Height, tip.Hash, tree.Root, tree.Total, Sha256.Of(withdrawals), Sha256.Of(reserves))));
    }

    private ReserveCoin ToReserve(OutPoint output)
    {
        var block = _chain.BlockOf(output.Txid)!;
        var transaction = block.Transactions.First(t => t.Txid == output.Txid);
        var proof = BlockProof.Build([.. block.Transactions.Select(t => t.Txid)], output.Txid);
        var made = transaction.Outputs[(int)output.Index];
        return new ReserveCoin(output, made.Value, new ByteString(made.Script), (uint)block.Height, new ByteString(transaction.Stripped), new ByteString(block.Bytes), proof.Position, proof.Siblings);
    }

    private Task<byte[]> ReadLogAsync(string path, CancellationToken cancel) => Task.FromResult(path switch
    {
        LogExport.CheckpointFile => System.Text.Encoding.UTF8.GetBytes(_log.Checkpoint),
        LogExport.RotationsFile => [],
        LogExport.PinsFile => System.Text.Encoding.UTF8.GetBytes(new Pins(_log.Verifier, AnchorScript.Span.ToArray(), _firstAnchor, BitcoinNetwork.Regtest).Write()),
        _ => LogTile.TryParse(path, out var tile) && _log.FindTile(tile) is { } bytes ? bytes : throw new BenchFailedException($"the log has no {path}"),
    });

    private async Task<Stream?> FindFileAsync(string path, CancellationToken cancel)
    {
        var parts = path.Split('/');
        if (parts is [_, EpochPublication.IndexName]) return new MemoryStream(await _publication.IndexAsync());
        if (await _publication.FindAsync(long.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture), parts[2]) is not { } file) return null;
        if (file.Path is { } large) return File.OpenRead(large);
        return file.Bytes is { } bytes ? new MemoryStream(bytes) : null;
    }

    private async Task SubmitAsync(Command command)
    {
        var answer = await _partition.SubmitAsync(command);
        if (answer.Outcome != Outcome.Accepted) throw new BenchFailedException($"{command.GetType().Name} is answered {answer.Outcome}");
    }

    private static async Task InBlocksAsync(int count, Func<int, Task> one)
    {
        for (var first = 0; first < count; first += Limits.BlockPaymentsMax)
            await Task.WhenAll(Enumerable.Range(first, Math.Min(Limits.BlockPaymentsMax, count - first)).Select(one));
    }

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);

    private static Txid IdOf(int number) => new(Sha256.Of(BitConverter.GetBytes(number)));

    /// <summary>As long as the addresses are that a server gives away.</summary>
    private static ByteString Taproot(ReadOnlySpan<byte> name) => new([0x51, 0x20, .. SHA256.HashData(name)]);
}
