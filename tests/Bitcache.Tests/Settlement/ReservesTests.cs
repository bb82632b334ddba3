using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Settlement;

/// <summary>What was paid in and is still owed stays covered by the same reserves, wherever a transaction of ours is.</summary>
[Trait("suite", "core")]
public sealed class ReservesTests : IDisposable
{
    private static readonly EngineSettings Settings = new()
    {
        DataFolder = "/nowhere",
        Origin = "ledger.test/log",
        ConfirmationsToCredit = [new ConfirmationRule(0, 1)],
        FinalityDepth = 6,
        FeeTargetBlocks = 1,
        FallbackFeeRate = 2,
        FeeCapSat = 5_000,
    };

    private static readonly Sats ToppedUp = new(20_000);
    private static readonly Sats PaidIn = new(1_000_000);

    private readonly FakeNode _node = new(seed: 1, "wallet") { IsWalletLoaded = true };
    private readonly FakeBitcoind _fake;
    private readonly BitcoinRpc _rpc;
    private readonly BitcoinRpcNode _seam;
    private readonly TurnLedger _ledger = new();
    private readonly WalletId _operator = new(((UInt128)1 << 64) + 1);
    private readonly WalletId _wallet = new(((UInt128)1 << 64) + 2);

    public ReservesTests()
    {
        _fake = new FakeBitcoind(_node);
        _rpc = _fake.Connect();
        _seam = new BitcoinRpcNode(_rpc, "wallet");
        for (var i = 0; i < 20; i++) _node.Mine();
        _ledger.Do(new Genesis(Settings.Origin, 3, 1, _operator, new ByteString([0x51]), []));
        _ledger.Do(new CreateWallet(_ledger.NewId(), 1, _wallet), tenant: 1);
        Deposit(_operator, ToppedUp, AddressPurpose.OperatorTopUp, Ledger.OperatorTenant);
        Deposit(_wallet, PaidIn, AddressPurpose.Deposit, tenant: 1);
        Mine(Settings.FinalityDepth);
        TakeTurn();
        Assert.Equal((ToppedUp + PaidIn).ToMsat(), Find().There);
    }

    public void Dispose()
    {
        _ledger.Dispose();
        _rpc.Dispose();
        _fake.Dispose();
    }

    [Fact]
    public void A_payout_that_waits_was_dropped_or_was_abandoned_leaves_them_as_they_are()
    {
        var paid = Pay();
        Check(paid, confirmations: 0);
        _node.Evict(paid);
        // The wallet keeps the coins for it, and does not have the change.
        Assert.Null(_node.Mempool.Find(paid));
        Check(paid, confirmations: 0);
        _node.Wallet.Find(paid)!.Set(WalletStanding.Abandoned);
        Check(paid, confirmations: 0);
        _node.Wallet.Find(paid)!.Set(WalletStanding.Inactive);
        _node.Restart();
        Assert.NotNull(_node.Mempool.Find(paid));
        Check(paid, confirmations: 0);
        Mine(1);
        Check(paid, confirmations: 1);
        Mine(1);
        TakeTurn();
        Check(paid, confirmations: 2);
    }

    [Fact]
    public void A_replaced_payout_counts_once_whichever_attempt_the_node_has()
    {
        var first = Pay();
        _node.Mine(_node.Chain.Tip, []);
        TakeTurn();
        var attempts = Family(1).Attempts;
        Assert.Equal(2, attempts.Count);
        var second = attempts[1].Txid;
        Check(second, confirmations: 0);
        _node.Evict(second);
        Check(second, confirmations: 0);
        // Another node still has the first one, and gives it back.
        Assert.Null(_node.Send(AnchorChain.Parse(attempts[0])));
        Check(first, confirmations: 0);
        Mine(1);
        Check(first, confirmations: 1);
    }

    [Fact]
    public void Change_that_another_payout_spends_counts_once_when_both_are_dropped()
    {
        var first = Pay();
        Mine(1);
        TakeTurn();
        var block = _node.Chain.Tip;
        // Only the first one's change is enough.
        var second = Pay(new Sats(900_000));
        Assert.Contains(AnchorChain.Parse(Family(2).Attempts[0]).Inputs, i => i.Spent.Txid == first);
        _node.Invalidate(block);
        _node.Mine(_node.Chain.Tip, []);
        foreach (var txid in new[] { second, first })
        {
            Check(txid, confirmations: 0);
            _node.Evict(txid);
            Check(txid, confirmations: 0);
        }
    }

    [Fact]
    public void Coins_that_left_without_a_family_are_missed()
    {
        var coin = _node.Funding.Coins()[0];
        var (stolen, _) = _node.Funding.Fund([coin.OutPoint], [new(new Sats(300_000), FakeNode.ScriptOf(_node.NewStranger()))], new FeeRate(1_000));
        Assert.Null(_node.Send(stolen));
        var found = Find();
        Assert.True(found.AreShort);
        Assert.InRange((found.Owed - found.There).Value, 300_000_000, 301_000_000);
    }

    /// <summary>Has one withdrawal leave, and gives the transaction that pays it.</summary>
    private Txid Pay(Sats? amount = null)
    {
        var script = new ByteString(FakeNode.ScriptOf(_node.NewStranger()));
        Assert.Equal(Outcome.Accepted, _ledger.Run(_ledger.Set.SubmitAsync(
            new RequestWithdrawal(_ledger.NewId(), _wallet, script, amount ?? new Sats(40_000), Max: false), tenant: 1)).Outcome);
        _ledger.Do(new EpochCut(_ledger.NewId(), _ledger.Ask(ledger => ledger.LastEpoch?.Number ?? 0) + 1));
        TakeTurn();
        return _ledger.Ask(ledger => ledger.Families()[^1].Attempts[^1].Txid);
    }

    private Family Family(long number) => _ledger.Ask(ledger => ledger.FindFamily(number));

    private void Check(Txid transaction, int confirmations)
    {
        Assert.Equal(confirmations, _node.Wallet.Confirmations(_node.Wallet.Find(transaction)!));
        var found = Find();
        Assert.Equal((ToppedUp + PaidIn).ToMsat(), found.There);
        Assert.False(found.AreShort);
    }

    private ReservesFound Find() => _ledger.Run(new Reserves(_ledger.Set, _seam).FindAsync(Sats.Zero, CancellationToken.None));

    private void Deposit(WalletId wallet, Sats amount, AddressPurpose purpose, uint tenant)
    {
        var address = _ledger.Run(_seam.GetNewAddressAsync(CancellationToken.None));
        _ledger.Do(new AssignAddress(_ledger.NewId(), wallet, purpose, new ByteString(FakeNode.ScriptOf(address))), tenant);
        Assert.Null(_node.Send(_node.Payment(address, amount, new Sats(1_000))));
    }

    private void Mine(int blocks)
    {
        for (; blocks > 0; blocks--) _node.Mine();
    }

    private void TakeTurn() => _ledger.Run(TurnAsync());

    private async Task TurnAsync()
    {
        await new DepositWatcher(new SettlementTerm(_ledger.Set), _seam, Settings, NullLogger.Instance).LookAsync(CancellationToken.None);
        var payouts = new Payouts(new SettlementTerm(_ledger.Set), _ledger.Set.First, _seam, Settings, NullLogger.Instance);
        await payouts.OpenAsync(null, await payouts.FindDueAsync());
        await payouts.DriveAsync(_node.Chain.Tip.Height, mayPay: true, CancellationToken.None);
    }
}
