using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Settlement;

/// <summary>A ledger with money, and a simulated node that a test does things to. Nothing happens but what the test says.</summary>
internal sealed class PayoutScene : IDisposable
{
    public const int Final = 6;
    /// <summary>After so many blocks without it a transaction is bumped.</summary>
    public const int Target = 3;
    public static readonly Sats FeeCap = new(20_000);
    private static readonly Sats Amount = new(70_000);

    private readonly EngineSettings _settings;
    private readonly FakeBitcoind _fake;
    private readonly BitcoinRpc _rpc;
    private readonly TurnLedger _ledger = new();
    private readonly WalletId _operator = new(((UInt128)1 << 64) + 1);
    private readonly WalletId _wallet = new(((UInt128)1 << 64) + 2);
    private PayoutTurn? _turn;

    /// <param name="feeCap">The most that a transaction may cost.</param>
    /// <param name="isSignedElsewhere">Whether the wallet has no keys.</param>
    /// <param name="change">Other settings.</param>
    public PayoutScene(long feeCap = 20_000, bool isSignedElsewhere = false, Func<EngineSettings, EngineSettings>? change = null)
    {
        var settings = new EngineSettings
        {
            DataFolder = "/nowhere",
            Origin = "ledger.test/log",
            ConfirmationsToCredit = [new ConfirmationRule(0, 1)],
            FinalityDepth = Final,
            FeeTargetBlocks = Target,
            FeeCapSat = feeCap,
            FallbackFeeRate = 2,
            ExternalSigner = isSignedElsewhere,
        };
        _settings = change?.Invoke(settings) ?? settings;
        Node = new FakeNode(1, "wallet") { IsWalletLoaded = true };
        Node.Wallet.HasKeys = !isSignedElsewhere;
        _fake = new FakeBitcoind(Node);
        _rpc = _fake.Connect();
        Seam = new BitcoinRpcNode(_rpc, "wallet");
        for (var i = 0; i < 20; i++) Node.Mine();
        _ledger.Do(new Genesis(_settings.Origin, 3, 1, _operator, Node.Wallet.NewScript(change: false), []));
        _ledger.Do(new CreateWallet(_ledger.NewId(), 1, _wallet), tenant: 1);
        Deposit(_operator, AddressPurpose.OperatorTopUp, Ledger.OperatorTenant);
        for (var i = 0; i < 5; i++) Deposit(_wallet, AddressPurpose.Deposit, tenant: 1);
        Mine(Final);
        Turn();
    }

    public FakeNode Node { get; }
    /// <summary>How many calls the node has answered.</summary>
    public int Calls => _fake.Calls;
    public IBitcoinNode Seam { get; set; }
    public PayoutTurn LastTurn => _turn!;
    public Payouts Payouts => new(new SettlementTerm(_ledger.Set), _ledger.Set.First, Seam, _settings, NullLogger.Instance);
    public Signing Signing => new(_ledger.Set, [Payouts], Seam);
    public ReservesFound Reserves => _ledger.Run(new Reserves(_ledger.Set, Seam).FindAsync(Sats.Zero, CancellationToken.None));
    public Totals Totals => Ask(ledger => ledger.Totals);

    public T Ask<T>(Func<Ledger, T> question) => _ledger.Ask(question);

    public T Run<T>(Task<T> work) => _ledger.Run(work);

    public void Run(Task work) => _ledger.Run(work);

    public void Pass(TimeSpan time) => _ledger.Pass(time);

    public void Do(Command command) => _ledger.Do(command);

    public Family Family(long number) => Ask(ledger => ledger.FindFamily(number));

    /// <summary>What the newest attempt of a family says on the chain.</summary>
    public BitcoinTransaction Newest(long number) => AnchorChain.Parse(Family(number).Attempts[^1]);

    /// <summary>What of a family is with its signer.</summary>
    public BitcoinTransaction Unsigned(long number) => FakePsbt.Read(Convert.ToBase64String(Family(number).Prepared!.Psbt.Span));

    /// <summary>Its signer hands it back.</summary>
    public SignedOutcome HandBack(BitcoinTransaction unsigned) =>
        _ledger.Run(LastTurn.Signing.TakeAsync(unsigned.Txid, FakePsbt.Write(unsigned, isSigned: true), CancellationToken.None));

    public string Waiting(long number) => LastTurn.Waiting[number];

    /// <summary>Asks for a withdrawal and closes an epoch: one turn later it is on its way, with an anchor.</summary>
    public ByteString Withdraw()
    {
        var script = Request(Amount);
        CloseEpoch();
        return script;
    }

    /// <summary>Asks for a withdrawal to a stranger.</summary>
    public ByteString Request(Sats amount) => Request(amount, new ByteString(FakeNode.ScriptOf(Node.NewStranger())));

    public ByteString Request(Sats amount, ByteString script)
    {
        _ledger.Do(new RequestWithdrawal(_ledger.NewId(), _wallet, script, amount, Max: false), tenant: 1);
        return script;
    }

    public void TakeBack(WithdrawalKey key) => _ledger.Do(new CancelWithdrawal(key.Id, key.Wallet), tenant: 1);

    public void CloseEpoch() => _ledger.Do(new EpochCut(_ledger.NewId(), Ask(ledger => ledger.LastEpoch?.Number ?? 0) + 1));

    public void Turn()
    {
        _turn = new PayoutTurn(_ledger.Set, Seam, _settings);
        _ledger.Run(_turn.TakeAsync(Node.Chain.Tip.Height));
        Assert.True(Ask(ledger =>
        {
            ledger.CheckEveryBalance();
            return ledger.Totals.IsConserved;
        }));
    }

    /// <summary>The process ends and begins again.</summary>
    public void Restart() => _ledger.Restart();

    public void Mine(int blocks)
    {
        for (; blocks > 0; blocks--) Node.Mine();
    }

    /// <summary>Blocks with just these, the first; the mempool stays as it is.</summary>
    public void MineOnly(int blocks, params BitcoinTransaction[] transactions)
    {
        for (; blocks > 0; blocks--, transactions = []) Node.Mine(Node.Chain.Tip, transactions);
    }

    /// <summary>A transaction of somebody who has the wallet's keys, too.</summary>
    public BitcoinTransaction Steal(OutPoint coin, long fee = 30_000, string? to = null) => FakeTransactions.Create(
        [coin], [new(Node.Wallet.OwnOutput(coin)!.Value - new Sats(fee), FakeNode.ScriptOf(to ?? Node.NewStranger()))]);

    /// <summary>How often a script is paid by transactions in the best chain.</summary>
    public int TimesPaid(ByteString script) => Node.Wallet.Known
        .Where(k => Node.Wallet.Confirmations(k) > 0).SelectMany(k => k.Transaction.Outputs).Count(o => script.Span.SequenceEqual(o.Script));

    private void Deposit(WalletId wallet, AddressPurpose purpose, uint tenant)
    {
        var address = _ledger.Run(Seam.GetNewAddressAsync(CancellationToken.None));
        _ledger.Do(new AssignAddress(_ledger.NewId(), wallet, purpose, new ByteString(FakeNode.ScriptOf(address))), tenant);
        Assert.Null(Node.Send(Node.Payment(address, new Sats(200_000), new Sats(1_000))));
    }

    public void Dispose()
    {
        _ledger.Dispose();
        _rpc.Dispose();
        _fake.Dispose();
    }
}
