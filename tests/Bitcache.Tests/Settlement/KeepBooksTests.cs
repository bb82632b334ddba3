using Bitcache.Core;
using Bitcache.Engine;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Tests.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Settlement;

/// <summary>What becomes of withdrawals without a node: deadlines that pass, and charges that a process left open.</summary>
[Trait("suite", "core")]
public sealed class KeepBooksTests : IAsyncLifetime
{
    private readonly GatedJournal _journal = new();
    private readonly TwoClocks _clocks = new();
    private readonly OwnedPartition _partition;
    private readonly Payouts _payouts;
    private WalletId _wallet;
    private byte _scripts;

    public KeepBooksTests()
    {
        _partition = BegunLedger.Over(_journal, _clocks);
        _partition.Start();
        // A node that must not be asked.
        _payouts = new Payouts(
            new SettlementTerm(new PartitionSet([_partition])), _partition, NodeOfCalls.Create().Seam, new EngineSettings { DataFolder = "/nowhere", Origin = BegunLedger.Origin }, NullLogger.Instance);
    }

    public async ValueTask InitializeAsync()
    {
        await BegunLedger.BeginAsync(_partition, _clocks, sat: 1_000);
        _wallet = ClientIds.NextWallet();
        await DoAsync(new CreateWallet(NewId(), 1, _wallet), tenant: 1);
        var script = NewScript();
        await DoAsync(new AssignAddress(NewId(), _wallet, AddressPurpose.Deposit, script), tenant: 1);
        await DoAsync(new ChangeDeposit(new OutPoint(default, 9), DepositState.Credited, false, script, new Sats(5_000), default, 1));
    }

    public async ValueTask DisposeAsync()
    {
        await _partition.DisposeAsync();
        _journal.Dispose();
    }

    [Fact]
    public async Task What_waits_past_its_deadline_goes_back_by_itself()
    {
        var key = await WithdrawAsync(TimeSpan.FromMinutes(1));
        var later = await WithdrawAsync(TimeSpan.FromMinutes(2));
        _clocks.Pass(TimeSpan.FromMilliseconds(59_999));
        Assert.Equal((WithdrawalState.Queued, 900), await LookAsync(key));
        _clocks.Pass(TimeSpan.FromMilliseconds(1));
        Assert.Equal((WithdrawalState.Expired, 450), await LookAsync(key));
        Assert.Equal((WithdrawalState.Queued, 450), await LookAsync(later));
        // The owner's alarm is set for the next one: nobody has to ask.
        _clocks.Pass(TimeSpan.FromMinutes(1));
        Assert.Equal((WithdrawalState.Expired, 0), await LookAsync(later));
    }

    [Fact]
    public async Task After_a_jump_of_the_clock_nothing_goes_back_and_nothing_is_signed_until_it_is_right_again()
    {
        var key = await WithdrawAsync(TimeSpan.FromMinutes(1));
        _clocks.Jump = TimeSpan.FromHours(1);
        Assert.Equal((WithdrawalState.Queued, 450), await LookAsync(key));
        Assert.False(_partition.IsClockTrusted);
        _clocks.Pass(TimeSpan.FromMinutes(2));
        Assert.Equal((WithdrawalState.Queued, 450), await LookAsync(key));
        _clocks.Jump = TimeSpan.Zero;
        Assert.Equal((WithdrawalState.Expired, 0), await LookAsync(key));
    }

    [Fact]
    public async Task A_family_without_a_signature_is_given_up_for_one_deadline_and_one_with_a_signature_never()
    {
        var (late, other, signed) = (await WithdrawAsync(TimeSpan.FromMinutes(1)), await WithdrawAsync(), await WithdrawAsync(TimeSpan.FromMinutes(1)));
        await DoAsync(new OpenFamily(1, new Sats(100), null, [late, other]));
        await DoAsync(new OpenFamily(2, new Sats(100), null, [signed]));
        await DoAsync(new SignAttempt(2, 1, default, new Sats(60), new ByteString([1])));
        await _payouts.KeepBooksAsync();
        Assert.Equal([FamilyState.Opened, FamilyState.Signed], await StatesAsync());

        _clocks.Pass(TimeSpan.FromMinutes(1));
        Assert.Equal((WithdrawalState.InFamily, 1_350), await LookAsync(late));
        await _payouts.KeepBooksAsync();
        Assert.Equal([FamilyState.Abandoned, FamilyState.Signed], await StatesAsync());
        Assert.Equal((WithdrawalState.Expired, 900), await LookAsync(late));
        Assert.Equal((WithdrawalState.Queued, 900), await LookAsync(other));
        Assert.Equal((WithdrawalState.InFamily, 900), await LookAsync(signed));
        Assert.Equal([other], (await _partition.QueryAsync(ledger => ledger.DueWithdrawals())).Select(w => w.Key));
    }

    [Fact]
    public async Task A_charge_that_a_process_left_open_is_booked_once()
    {
        var (first, second) = (await WithdrawAsync(), await WithdrawAsync());
        await DoAsync(new OpenFamily(1, new Sats(100), null, [first, second]));
        await DoAsync(new SignAttempt(1, 1, default, new Sats(60), new ByteString([1])));
        await DoAsync(new ConfirmFamily(1, 1, 7, default, new ByteString(new byte[80]), 0, []));
        await DoAsync(new FinishFamily(1, new Sats(41)));
        Assert.Equal((WithdrawalState.Sent, 100), await LookAsync(first));
        await DoAsync(new ChargeWithdrawal(first));
        Assert.Equal((WithdrawalState.Paid, 50), await LookAsync(first));

        await _payouts.KeepBooksAsync();
        await _payouts.KeepBooksAsync();
        Assert.Equal((WithdrawalState.Paid, 0), await LookAsync(second));
        var (available, operators, entries) = await _partition.QueryAsync(ledger =>
            (ledger.FindWallet(_wallet)!.Value.Available, ledger.OperatorWallet.Available, ledger.NextSequence));
        // Of 41 satoshis each bears 20; the operator, who paid 60, gets 40 back.
        Assert.Equal((new Sats(5_000 - 800 - 40).ToMsat(), new Sats(1_000 - 60 + 40).ToMsat()), (available, operators));
        await _payouts.KeepBooksAsync();
        Assert.Equal(entries, await _partition.QueryAsync(ledger => ledger.NextSequence));
    }

    /// <summary>Asks for 400 satoshis, with 50 for mining.</summary>
    private async Task<WithdrawalKey> WithdrawAsync(TimeSpan? within = null)
    {
        var request = new RequestWithdrawal(NewId(), _wallet, NewScript(), new Sats(400), Max: false)
        {
            Fee = new Sats(50),
            Deadline = within is { } time ? new UnixTime((_clocks.GetUtcNow() + time).ToUnixTimeMilliseconds()) : null,
        };
        await DoAsync(request, tenant: 1);
        return new WithdrawalKey(_wallet, request.Id);
    }

    /// <summary>Where a withdrawal stands, and what its wallet has held, in satoshis.</summary>
    private Task<(WithdrawalState, long)> LookAsync(WithdrawalKey key) => _partition.QueryAsync(ledger =>
        (ledger.FindWithdrawal(key)!.State, ledger.FindWallet(_wallet)!.Value.Held.RoundDownToSats().Value));

    private Task<FamilyState[]> StatesAsync() => _partition.QueryAsync(ledger => ledger.Families().Select(f => f.State).ToArray());

    private async Task DoAsync(Command command, uint tenant = Ledger.OperatorTenant) =>
        Assert.Equal(Outcome.Accepted, (await _partition.SubmitAsync(command, tenant)).Outcome);

    private ByteString NewScript() => new([0, 20, .. new byte[19], ++_scripts]);

    private OperationId NewId() => ClientIds.Next(_clocks);
}
