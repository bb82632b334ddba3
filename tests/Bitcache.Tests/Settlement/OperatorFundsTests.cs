using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Tests.Partitions;

namespace Bitcache.Tests.Settlement;

/// <summary>The operator's accounts in two partitions: the first has the money, the second the withdrawals.</summary>
[Trait("suite", "core")]
public sealed class OperatorFundsTests : IAsyncLifetime
{
    private const uint Tenant = 1;
    private static readonly Sats Cap = new(100);
    private readonly WalletId _user = ClientIds.NextWallet(1, 2);
    private TwoPartitions _two = null!;
    private OperatorFunds _funds = null!;
    private volatile bool _legsArrive;
    private byte _scripts;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _two = await TwoPartitions.StartAsync((partition, item) => (_legsArrive || item is not LegParcel) && partition.TryEnqueue(item));
        _funds = new OperatorFunds(new SettlementTerm(_two.Set), new EngineSettings { DataFolder = "/nowhere", Origin = "ledger.test/log", FeeCapSat = (int)Cap.Value }, TimeProvider.System);
        await DepositAsync(_two.Operator, AddressPurpose.OperatorTopUp, Ledger.OperatorTenant);
        await _two.Set[1].SubmitAsync(new CreateWallet(NewId(), Tenant, _user), Tenant);
        await DepositAsync(_user, AddressPurpose.Deposit, Tenant);
    }

    public ValueTask DisposeAsync() => _two.DisposeAsync();

    [Fact]
    public async Task What_a_family_costs_is_sent_once_and_again_when_it_is_needed_again()
    {
        await WithdrawAsync();
        for (var turn = 0; turn < 3; turn++) await _funds.LevelAsync();
        Assert.Equal((900, 0), await AccountsAsync());
        _legsArrive = true;
        await ArriveAsync();
        for (var turn = 0; turn < 3; turn++) await _funds.LevelAsync();
        Assert.Equal((900, 100), await AccountsAsync());

        var due = await _two.Set[1].QueryAsync(ledger => ledger.DueWithdrawals());
        Assert.Equal(Outcome.Accepted, (await _two.Set[1].SubmitAsync(new OpenFamily(1, Cap, null, [.. due.Select(w => w.Key)]))).Outcome);
        await WithdrawAsync();
        await _funds.LevelAsync();
        await ArriveAsync();
        Assert.Equal((800, 100), await AccountsAsync());
    }

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);

    private ByteString NewScript() => new([0, 20, ++_scripts, .. new byte[19]]);

    private async Task WithdrawAsync() => Assert.Equal(
        Outcome.Accepted, (await _two.Set.SubmitAsync(new RequestWithdrawal(NewId(), _user, NewScript(), new Sats(400), Max: false), Tenant)).Outcome);

    private async Task DepositAsync(WalletId wallet, AddressPurpose purpose, uint tenant)
    {
        var (home, script) = (_two.Set.HomeOf(wallet), NewScript());
        await home.SubmitAsync(new AssignAddress(NewId(), wallet, purpose, script), tenant);
        await home.SubmitAsync(new ChangeDeposit(new OutPoint(default, _scripts), DepositState.Credited, false, script, new Sats(1_000), default, 1));
    }

    private async Task<(long First, long Second)> AccountsAsync()
    {
        var sats = await _two.Set.QueryAllAsync(ledger => ledger.OperatorWallet.Available.RoundDownToSats().Value);
        return (sats[0], sats[1]);
    }

    private async Task ArriveAsync()
    {
        while (_two.Set.LegsInFlight > 0)
        {
            Cancel.ThrowIfCancellationRequested();
            await _two.Set.QueryAllAsync(ledger => ledger.NextSequence);
        }
    }
}
