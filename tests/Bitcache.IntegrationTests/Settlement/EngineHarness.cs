// One engine on a real regtest node, in a folder of its own. Time never decides anything here: blocks are mined,
// then the engine is told to take its turn, and the turn has ended when the call returns.

using System.Text.Json.Nodes;
using Bitcache.Cli.Demo;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Snapshots;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.IntegrationTests.Settlement;

internal sealed class EngineHarness : IAsyncDisposable
{
    public const int ToCredit = 2;
    public const int ToFinal = 6;
    /// <summary>After so many blocks without it a transaction is replaced.</summary>
    public const int Target = 6;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bitcache-engine-");
    private readonly IBitcoinNode _seenNode;
    private readonly NodeSwitch? _nodes;
    private readonly int _partitions;
    private readonly Sats _feeCap;
    private readonly Func<EngineSettings, EngineSettings> _change;
    private LedgerEngine? _engine;

    private EngineHarness(
        RegtestNode node, IBitcoinNode seenNode, NodeSwitch? nodes, int partitions, Sats feeCap, Func<EngineSettings, EngineSettings> change) =>
        (Node, _seenNode, _nodes, _partitions, _feeCap, _change) = (node, seenNode, nodes, partitions, feeCap, change);

    /// <summary>Where blocks are mined and payments are made.</summary>
    public RegtestNode Node { get; set; }
    public LedgerEngine Engine => _engine ?? throw new InvalidOperationException("the engine is closed");
    public string DataFolder => _folder.FullName;
    public PartitionSet Partitions => Engine.Partitions;
    public Partition Partition => Partitions.First;
    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <param name="node">The node that the test plays with.</param>
    /// <param name="seenNode">The node as the engine sees it, when something stands between.</param>
    /// <param name="partitions">Of the ledger.</param>
    /// <param name="feeCap">The most that a transaction may cost.</param>
    /// <param name="change">Other settings.</param>
    /// <param name="nodes">What the engine may choose from, and listens to.</param>
    public static async Task<EngineHarness> StartAsync(
        RegtestNode node, IBitcoinNode? seenNode = null, int partitions = 1, long feeCap = 20_000, Func<EngineSettings, EngineSettings>? change = null,
        NodeSwitch? nodes = null)
    {
        var harness = new EngineHarness(node, seenNode ?? node.Node, nodes, partitions, new Sats(feeCap), change ?? (static settings => settings));
        await harness.OpenAsync();
        return harness;
    }

    public async Task OpenAsync()
    {
        _engine = await LedgerEngine.OpenAsync(
            _change(new EngineSettings
            {
                DataFolder = _folder.FullName,
                Origin = "ledger.test/log",
                Partitions = _partitions,
                Network = BitcoinNetwork.Regtest,
                ConfirmationsToCredit = [new ConfirmationRule(0, ToCredit)],
                FinalityDepth = ToFinal,
                PollInterval = TimeSpan.FromMinutes(10),
                FallbackFeeRate = 2,
                FeeTargetBlocks = Target,
                FeeCapSat = _feeCap.Value,
                SegmentMebibytes = 16,
            }),
            _seenNode, _nodes, TimeProvider.System, NullLoggerFactory.Instance,
            (why, cause) => throw new InvalidOperationException(why, cause), Cancel);
    }

    /// <summary>Ends the engine and recovers it from what is on the disk; the state must be the same.</summary>
    public async Task ReopenAsync()
    {
        await ArriveAsync();
        var before = await Partitions.QueryAllAsync(ledger => ledger.StateHash());
        await Engine.DisposeAsync();
        _engine = null;
        // Asked of the files: an engine that is open looks at the chain and cuts its log from the first moment on.
        var files = new LinuxFileSystem();
        var after = Enumerable.Range(0, _partitions).Select(partition => LedgerReplay.Run(
            files, _folder.FullName, new FileJournalSettings { Partition = partition }, NullLogger.Instance, _ => { }).StateHash);
        Assert.Equal(before, after);
        await OpenAsync();
    }

    public async Task<WalletId> CreateWalletAsync(int partition = 0)
    {
        var answer = await Partitions[partition].SubmitAsync(new CreateWallet(NewId(), 1, ClientIds.NextWallet(partition, _partitions)), tenant: 1);
        return answer.Owner!.Value.Id;
    }

    /// <summary>Until nothing is on its way between partitions: asking each lets it take a turn.</summary>
    public async Task ArriveAsync()
    {
        while (Partitions.LegsInFlight > 0)
        {
            Cancel.ThrowIfCancellationRequested();
            await Partitions.QueryAllAsync(ledger => ledger.NextSequence);
        }
    }

    public static OperationId NewId() => ClientIds.Next(TimeProvider.System);

    public async Task<string> AddressAsync(WalletId wallet, uint tenant = 1, AddressPurpose purpose = AddressPurpose.Deposit)
    {
        var answer = await Engine.AssignAddressAsync(NewId(), wallet, tenant, purpose, Cancel);
        var script = ((AssignAddress)answer.Entry!.Command).Script;
        return BitcoinAddress.FromScript(script.Span, BitcoinNetwork.Regtest)!;
    }

    /// <summary>Pays a wallet from outside and waits until it is credited.</summary>
    public async Task<WalletId> FundedWalletAsync(Sats amount, int partition = 0)
    {
        var wallet = await CreateWalletAsync(partition);
        await Node.PayAsync(await AddressAsync(wallet), amount, Cancel);
        await MineAsync(ToCredit);
        Assert.Equal(amount.ToMsat(), (await WalletAsync(wallet)).Available);
        return wallet;
    }

    /// <summary>Gives the operator's wallet something to pay mining with.</summary>
    public async Task TopUpAsync(Sats amount)
    {
        var wallet = await Partition.QueryAsync(ledger => ledger.OperatorWallet.Id);
        await Node.PayAsync(await AddressAsync(wallet, Ledger.OperatorTenant, AddressPurpose.OperatorTopUp), amount, Cancel);
        await MineAsync(ToCredit);
    }

    public async Task<Answer> PayAsync(WalletId payer, WalletId payee, Msat amount)
    {
        var paid = await Partitions.SubmitAsync(new Transfer(NewId(), payer, payee, amount, 0, ByteString.Empty).ToPayment(), tenant: 1);
        return new Answer(paid.Outcome, paid.Sequence > 0 ? Partitions.HomeOf(payer).ReadEntry(paid.Sequence) : null, paid.Payer, paid.Payee);
    }

    public async Task<WithdrawalKey> WithdrawAsync(WalletId wallet, string address, Sats amount, Sats? approvalFrom = null, UnixTime? deadline = null)
    {
        Assert.True(BitcoinAddress.TryParse(address, BitcoinNetwork.Regtest, out var script, out _));
        var id = NewId();
        var answer = await Partitions.SubmitAsync(new RequestWithdrawal(id, wallet, new ByteString(script), amount, Max: false)
        {
            ApprovalFrom = approvalFrom,
            Deadline = deadline,
            AskedBy = ByteString.FromUtf8("asker"),
        }, tenant: 1);
        Assert.Equal(Outcome.Accepted, answer.Outcome);
        return new WithdrawalKey(wallet, id);
    }

    /// <summary>Closes an epoch and takes the turn that opens, builds and sends its family.</summary>
    public async Task<Epoch> CloseEpochAsync()
    {
        await Engine.CloseEpochAsync(NewId(), Cancel);
        await TurnAsync();
        return await Partition.QueryAsync(ledger => ledger.LastEpoch!);
    }

    public async Task MineAsync(int blocks)
    {
        await Node.MineAsync(blocks, Cancel);
        await TurnAsync();
    }

    /// <summary>Mines blocks that leave the mempool alone, or hold just these raw transactions.</summary>
    public async Task MineEmptyAsync(int blocks, params string[] transactions)
    {
        for (var i = 0; i < blocks; i++)
        {
            var raw = new JsonArray([.. transactions.Select(t => (JsonNode)t)]);
            await Node.Rpc.CallAsync(
                null, "generateblock", [await Node.NewMinerAddressAsync(Cancel), raw], a => a.ValueKind, Cancel);
            transactions = [];
        }
        await TurnAsync();
    }

    /// <summary>Every turn ends with money conserved and every balance adding up.</summary>
    public async Task TurnAsync()
    {
        await Engine.SettleAsync(Cancel);
        var totals = Totals.Sum(await Partitions.QueryAllAsync(ledger =>
        {
            ledger.CheckEveryBalance();
            return ledger.Totals;
        }));
        Assert.True(totals.IsConserved);
    }

    public async Task<Wallet> WalletAsync(WalletId id) => (await Partitions.HomeOf(id).QueryAsync(ledger => ledger.FindWallet(id)))!.Value;

    public Task<Deposit> DepositAsync(WalletId wallet) => Partitions.HomeOf(wallet).QueryAsync(ledger => Assert.Single(ledger.DepositsOf(wallet)));

    public Task<Family> FamilyAsync(long number) => Partition.QueryAsync(ledger => ledger.FindFamily(number));

    public async Task<Totals> TotalsAsync() => Totals.Sum(await Partitions.QueryAllAsync(ledger => ledger.Totals));

    /// <summary>Signs a transaction that spends the same coins as another, back to the payer.</summary>
    public async Task<string> DoubleSpendAsync(Txid txid)
    {
        var raw = await Node.MinerAsync("gettransaction", [txid.ToString()], a => a.GetProperty("hex").GetString()!, Cancel);
        Assert.True(BitcoinTransaction.TryParse(raw, out var transaction));
        var inputs = new JsonArray([.. transaction.Inputs.Select(i =>
            (JsonNode)new JsonObject { ["txid"] = i.Spent.Txid.ToString(), ["vout"] = i.Spent.Index })]);
        var value = new Sats(transaction.Outputs.Sum(o => o.Value.Value) - 5_000);
        var outputs = new JsonObject { [await Node.NewMinerAddressAsync(Cancel)] = Amounts.FormatBtc(value) };
        var unsigned = await Node.Rpc.CallAsync(null, "createrawtransaction", [inputs, outputs], a => a.GetString()!, Cancel);
        return await Node.MinerAsync("signrawtransactionwithwallet", [unsigned], a => a.GetProperty("hex").GetString()!, Cancel);
    }

    /// <summary>Signs a payment from outside, changed before that; what is not sent the node knows nothing of.</summary>
    public async Task<string> SignAsync(IEnumerable<(string Address, Sats Amount)> outputs, Func<string, string> change)
    {
        var pays = new JsonArray([.. outputs.Select(o => (JsonNode)new JsonObject { [o.Address] = Amounts.FormatBtc(o.Amount) })]);
        var bare = await Node.Rpc.CallAsync(null, "createrawtransaction", [new JsonArray(), pays], a => a.GetString()!, Cancel);
        var funded = await Node.MinerAsync("fundrawtransaction", [bare], a => a.GetProperty("hex").GetString()!, Cancel);
        return await Node.MinerAsync("signrawtransactionwithwallet", [change(funded)], a => a.GetProperty("hex").GetString()!, Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        if (_engine is not null) await _engine.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
