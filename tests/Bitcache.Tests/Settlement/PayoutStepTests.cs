using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Partitions;
using Bitcache.Engine.Settlement;
using Bitcache.Tests.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Settlement;

/// <summary>Single steps of families, with a node that refuses, lies, or must not be asked. What a real node does is tested
/// with one.</summary>
[Trait("suite", "core")]
public sealed class PayoutStepTests : IAsyncLifetime
{
    private static readonly Sats FeeCap = new(100);
    // The height at which everything here is signed and sent.
    private const int Height = 5;
    private readonly GatedJournal _journal = new();
    private readonly OwnedPartition _partition;
    private readonly Payouts _payouts;
    private readonly NodeOfCalls _node;
    private readonly List<(WalletId Wallet, ChangeDeposit Deposit)> _users = [];
    private readonly List<WithdrawalKey> _withdrawals = [];
    private byte _scripts;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public PayoutStepTests()
    {
        _partition = BegunLedger.Over(_journal, TimeProvider.System);
        _partition.Start();
        (var seam, _node) = NodeOfCalls.Create();
        _payouts = new Payouts(new SettlementTerm(new PartitionSet([_partition])), _partition, seam, new EngineSettings { DataFolder = "/nowhere", Origin = BegunLedger.Origin }, NullLogger.Instance);
    }

    /// <summary>An operator with money for fees, and two users, each with a withdrawal of 400 of 1,000 satoshis in a family of
    /// its own.</summary>
    public async ValueTask InitializeAsync()
    {
        await BegunLedger.BeginAsync(_partition, TimeProvider.System, sat: 1_000);
        for (var family = 1; family <= 2; family++)
        {
            var wallet = ClientIds.NextWallet();
            await DoAsync(new CreateWallet(NewId(), 1, wallet), tenant: 1);
            _users.Add((wallet, await DepositAsync(wallet)));
            var id = NewId();
            await DoAsync(new RequestWithdrawal(id, wallet, NewScript(), new Sats(400), false), tenant: 1);
            _withdrawals.Add(new WithdrawalKey(wallet, id));
            await DoAsync(new OpenFamily(family, FeeCap, null, [_withdrawals[^1]]));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _partition.DisposeAsync();
        _journal.Dispose();
    }

    [Theory]
    [InlineData(nameof(IBitcoinNode.GetTransactionAsync))]
    [InlineData(nameof(IBitcoinNode.SendRawTransactionAsync))]
    public async Task What_the_node_refuses_of_one_family_does_not_stop_the_others(string refused)
    {
        var (first, second) = (await SignAsync(1), await SignAsync(2));
        var sent = new List<string>();
        _node.On(nameof(IBitcoinNode.GetTransactionAsync), (Txid txid) =>
            txid == first && refused == nameof(IBitcoinNode.GetTransactionAsync) ? throw Refusal() : (WalletTransaction?)null);
        _node.On(nameof(IBitcoinNode.SendRawTransactionAsync), (byte[] transaction) =>
        {
            if (transaction[0] == 1) throw Refusal();
            sent.Add(Convert.ToHexString(transaction));
            return new BroadcastResult(BroadcastOutcome.Accepted, null);
        });
        await _payouts.DriveAsync(Height, mayPay: true, Cancel);

        Assert.Equal(["02"], sent);
        Assert.Equal([(1, Refusal().Message), (2, $"{second} waits for a block")], _payouts.Waiting.Select(w => (w.Key, w.Value)).Order());
        Assert.Equal([FamilyState.Signed, FamilyState.Signed], await StatesAsync());
    }

    [Fact]
    public async Task A_node_that_cannot_be_asked_ends_the_turn()
    {
        await SignAsync(1);
        await SignAsync(2);
        _node.On(nameof(IBitcoinNode.GetTransactionAsync), (Txid _) => (WalletTransaction?)null);
        _node.On(nameof(IBitcoinNode.SendRawTransactionAsync), (byte[] _) =>
            (BroadcastResult?)null ?? throw new NodeException(NodeFailure.Unknown, "the answer was lost"));
        var failure = await Assert.ThrowsAsync<NodeException>(() => _payouts.DriveAsync(Height, mayPay: true, Cancel));
        Assert.Equal(NodeFailure.Unknown, failure.Failure);
        Assert.Single(_node.Calls, nameof(IBitcoinNode.SendRawTransactionAsync));
    }

    [Fact]
    public async Task A_block_that_holds_the_transaction_confirms_its_family()
    {
        var txid = await SignAsync(1);
        await SignAsync(2);
        Mine([NewTxid(), txid, NewTxid()], seen: txid);
        await _payouts.DriveAsync(Height, mayPay: true, Cancel);
        Assert.Equal([FamilyState.Confirmed, FamilyState.Signed], await StatesAsync());
        var family = await FamilyAsync(1);
        Assert.Equal((1, 7u, 1u), (family.Confirmation!.Attempt, family.Confirmation.Height, family.Confirmation.Position));
    }

    [Theory]
    [InlineData(Lie.TxidMissing)]
    [InlineData(Lie.OtherRoot)]
    [InlineData(Lie.OtherHeader)]
    [InlineData(Lie.ShortHeader)]
    public async Task A_block_that_does_not_hold_the_transaction_confirms_nothing(Lie lie)
    {
        var txid = await SignAsync(1);
        var inBlock = new List<Txid> { NewTxid(), txid, NewTxid() };
        var block = Mine(inBlock, seen: txid);
        if (lie == Lie.TxidMissing) inBlock[1] = NewTxid();
        if (lie == Lie.OtherRoot) inBlock[2] = NewTxid();
        if (lie == Lie.OtherHeader) block[70]++;
        if (lie == Lie.ShortHeader) _node.On(nameof(IBitcoinNode.GetBlockHeaderAsync), (BlockHash _) => (byte[]?)block[..79]);
        var entries = _partition.DurableSequence;
        var failure = await Assert.ThrowsAsync<NodeException>(() => _payouts.DriveAsync(Height, mayPay: true, Cancel));
        Assert.Equal(NodeFailure.Unknown, failure.Failure);
        Assert.Equal((FamilyState.Signed, entries), ((await FamilyAsync(1)).State, _partition.DurableSequence));
    }

    [Fact]
    public async Task A_block_that_the_node_does_not_know_any_more_confirms_nothing_and_the_transaction_is_sent_again()
    {
        var txid = await SignAsync(1);
        await DoAsync(new AbandonFamily(2));
        Mine([txid], seen: txid);
        _node.On(nameof(IBitcoinNode.GetBlockTxidsAsync), (BlockHash _) => (IReadOnlyList<Txid>?)null);
        await _payouts.DriveAsync(Height, mayPay: true, Cancel);
        Assert.Equal(FamilyState.Signed, (await FamilyAsync(1)).State);
        Assert.Single(_node.Calls, nameof(IBitcoinNode.SendRawTransactionAsync));
    }

    [Fact]
    public async Task A_withdrawal_that_is_cancelled_before_its_family_is_opened_stays_out_of_it()
    {
        await DoAsync(new AbandonFamily(1));
        await DoAsync(new AbandonFamily(2));
        var due = await _partition.QueryAsync(ledger => ledger.DueWithdrawals());
        await DoAsync(new CancelWithdrawal(_withdrawals[0].Id, _withdrawals[0].Wallet), tenant: 1);
        var cheap = new EngineSettings { DataFolder = "/nowhere", Origin = BegunLedger.Origin, FeeCapSat = FeeCap.Value };
        var payouts = new Payouts(new SettlementTerm(new PartitionSet([_partition])), _partition, NodeOfCalls.Create().Seam, cheap, NullLogger.Instance);
        // The other one leaves at once.
        await payouts.OpenAsync(null, due);
        Assert.Equal([_withdrawals[1]], (await FamilyAsync(3)).Withdrawals);
        Assert.False(payouts.OperatorFundsLow);
        await payouts.OpenAsync(null, [due[0]]);
        Assert.Equal([FamilyState.Abandoned, FamilyState.Abandoned, FamilyState.Opened], await StatesAsync());
    }

    [Fact]
    public async Task A_wallet_that_was_frozen_meanwhile_keeps_neither_others_nor_the_anchor_from_leaving()
    {
        await DoAsync(new AbandonFamily(1));
        await DoAsync(new AbandonFamily(2));
        var due = await _partition.QueryAsync(ledger => ledger.DueWithdrawals());
        await DoAsync(new SetFrozen(NewId(), _users[1].Wallet, true), Ledger.OperatorTenant);
        var cheap = new EngineSettings { DataFolder = "/nowhere", Origin = BegunLedger.Origin, FeeCapSat = FeeCap.Value };
        var payouts = new Payouts(new SettlementTerm(new PartitionSet([_partition])), _partition, NodeOfCalls.Create().Seam, cheap, NullLogger.Instance);
        await payouts.OpenAsync(new AnchorTerms(1, 1, default), due);
        Assert.Equal([_withdrawals[0]], (await FamilyAsync(3)).Withdrawals);
        Assert.NotNull((await FamilyAsync(3)).Anchor);
    }

    [Fact]
    public async Task Several_withdrawals_to_one_script_leave_in_as_many_families_the_anchor_with_the_first()
    {
        await DoAsync(new AbandonFamily(1));
        await DoAsync(new AbandonFamily(2));
        var first = await _partition.QueryAsync(ledger => ledger.FindWithdrawal(_withdrawals[0])!);
        var again = new RequestWithdrawal(NewId(), _users[1].Wallet, first.Script, new Sats(500), false);
        await DoAsync(again, tenant: 1);
        var cheap = new EngineSettings { DataFolder = "/nowhere", Origin = BegunLedger.Origin, FeeCapSat = FeeCap.Value };
        var payouts = new Payouts(new SettlementTerm(new PartitionSet([_partition])), _partition, NodeOfCalls.Create().Seam, cheap, NullLogger.Instance);
        await payouts.OpenAsync(new AnchorTerms(1, 1, default), await _partition.QueryAsync(ledger => ledger.DueWithdrawals()));
        Assert.Equal(_withdrawals, (await FamilyAsync(3)).Withdrawals);
        Assert.NotNull((await FamilyAsync(3)).Anchor);
        Assert.Equal([new WithdrawalKey(again.Wallet, again.Id)], (await FamilyAsync(4)).Withdrawals);
        Assert.Null((await FamilyAsync(4)).Anchor);
    }

    [Theory]
    [InlineData(Stop.Owes)]
    [InlineData(Stop.Frozen)]
    [InlineData(Stop.ReservesShort)]
    public async Task A_family_that_may_not_be_paid_any_more_is_given_up_before_anything_is_asked_of_the_node(Stop stop)
    {
        var (wallet, deposit) = _users[0];
        // Of the deposit that leaves the chain 400 are on their way out: they are owed.
        if (stop == Stop.Owes) await DoAsync(deposit with { To = DepositState.Frozen });
        if (stop == Stop.Frozen) await DoAsync(new SetFrozen(NewId(), wallet, true), Ledger.OperatorTenant);
        if (stop != Stop.ReservesShort) await SignAsync(2);
        _node.On(nameof(IBitcoinNode.GetTransactionAsync), (Txid _) => (WalletTransaction?)null);
        _node.On(nameof(IBitcoinNode.SendRawTransactionAsync), (byte[] _) => new BroadcastResult(BroadcastOutcome.Accepted, null));
        await _payouts.DriveAsync(Height, mayPay: stop != Stop.ReservesShort, Cancel);

        var others = stop == Stop.ReservesShort ? FamilyState.Abandoned : FamilyState.Signed;
        Assert.Equal([FamilyState.Abandoned, others], await StatesAsync());
        Assert.Equal(stop == Stop.ReservesShort, _node.Calls.Count == 0);
        Assert.DoesNotContain(1, _payouts.Waiting.Keys);
        var (withdrawal, due, held) = await _partition.QueryAsync(ledger => (
            ledger.FindWithdrawal(_withdrawals[0])!, ledger.DueWithdrawals(), ledger.OperatorWallet.Held));
        Assert.Equal(WithdrawalState.Queued, withdrawal.State);
        // It leaves when its payer may pay again.
        Assert.Equal(stop == Stop.ReservesShort, due.Any(w => w.Key == _withdrawals[0]));
        Assert.Equal(others == FamilyState.Abandoned ? Msat.Zero : FeeCap.ToMsat(), held);
        if (stop != Stop.Owes) return;
        await DoAsync(deposit with { To = DepositState.Credited });
        Assert.Contains(await _partition.QueryAsync(ledger => ledger.DueWithdrawals()), w => w.Key == _withdrawals[0]);
    }

    public enum Lie
    {
        TxidMissing,
        OtherRoot,
        OtherHeader,
        ShortHeader,
    }

    public enum Stop
    {
        Owes,
        Frozen,
        ReservesShort,
    }

    /// <summary>A block at height 7 of which the node says that it holds a transaction. Returns its header.</summary>
    private byte[] Mine(List<Txid> txids, Txid seen)
    {
        var header = new byte[80];
        BlockProof.MerkleRoot(txids).Write(header.AsSpan(36));
        Assert.True(BlockHeader.TryParse(header, out var parsed));
        _node.On(nameof(IBitcoinNode.GetTransactionAsync), (Txid txid) =>
            txid == seen ? new WalletTransaction(txid, 1, parsed.Hash, 7, null, [], [], []) : null);
        _node.On(nameof(IBitcoinNode.GetBlockHeaderAsync), (BlockHash _) => (byte[]?)header);
        _node.On(nameof(IBitcoinNode.GetBlockTxidsAsync), (BlockHash _) => (IReadOnlyList<Txid>?)txids);
        _node.On(nameof(IBitcoinNode.SendRawTransactionAsync), (byte[] _) => new BroadcastResult(BroadcastOutcome.Accepted, null));
        return header;
    }

    /// <summary>Signs a family; its transaction is its number.</summary>
    private async Task<Txid> SignAsync(int family)
    {
        var txid = NewTxid();
        await DoAsync(new SignAttempt(family, 1, txid, new Sats(50), new ByteString([(byte)family])));
        return txid;
    }

    private async Task<ChangeDeposit> DepositAsync(WalletId wallet)
    {
        var script = NewScript();
        await DoAsync(new AssignAddress(NewId(), wallet, AddressPurpose.Deposit, script), tenant: 1);
        var deposit = new ChangeDeposit(new OutPoint(NewTxid(), 0), DepositState.Credited, false, script, new Sats(1_000), default, 1);
        await DoAsync(deposit);
        return deposit;
    }

    private async Task DoAsync(Command command, uint tenant = Ledger.OperatorTenant) =>
        Assert.Equal(Outcome.Accepted, (await _partition.SubmitAsync(command, tenant)).Outcome);

    private Task<Family> FamilyAsync(long number) => _partition.QueryAsync(ledger => ledger.FindFamily(number));

    private Task<FamilyState[]> StatesAsync() => _partition.QueryAsync(ledger => ledger.Families().Select(f => f.State).ToArray());

    private static NodeException Refusal() => new(RpcError.WalletError, "planted");

    private ByteString NewScript() => new([0, 20, .. new byte[19], ++_scripts]);

    private static Txid NewTxid() => new(Hash256.Read(RandomNumberGenerator.GetBytes(Hash256.Bytes)));

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);
}
