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

/// <summary>Single looks at the chain, with a node that says what a test has it say. What a real node does is tested with one.</summary>
[Trait("suite", "core")]
public sealed class DepositLookTests : IAsyncLifetime
{
    private static readonly BlockHash Genesis = new(new Hash256(0, 1));
    private static readonly Sats Amount = new(50_000);
    private readonly GatedJournal _journal = new();
    private readonly OwnedPartition _partition;
    private readonly NodeOfCalls _node;
    private readonly DepositWatcher _watcher;
    private readonly ByteString _script = new([0x51, 32, .. RandomNumberGenerator.GetBytes(32)]);
    // Its outputs 3 and 4 pay the amount, and 5 a satoshi.
    private readonly BitcoinTransaction _transaction;
    private readonly OutPoint _output;
    private readonly List<WalletEntry> _listed = [];
    private WalletTransaction? _asked;
    private readonly string _elsewhere = BitcoinAddress.FromScript([0x51, 32, .. new byte[32]], BitcoinNetwork.Regtest)!;
    private string _address = "";
    private WalletId _wallet;
    private int _height = 100;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public DepositLookTests()
    {
        _transaction = PayingTo(_script, 7, 7, 7, Amount.Value, Amount.Value, 1);
        _output = new OutPoint(_transaction.Txid, 3);
        _partition = BegunLedger.Over(_journal, TimeProvider.System);
        _partition.Start();
        (var seam, _node) = NodeOfCalls.Create();
        _node.On(nameof(IBitcoinNode.GetBlockAsync), (BlockHash block) => (byte[]?)BytesOf(block));
        _node.On(nameof(IBitcoinNode.GetBlockchainInfoAsync), (CancellationToken _) => new BlockchainInfo("regtest", _height, _height, Block(_height), false));
        _node.On(nameof(IBitcoinNode.ListSinceBlockAsync), (BlockHash? _) => (WalletChanges?)new WalletChanges([.. _listed], [], Genesis));
        _node.On(nameof(IBitcoinNode.ListTransactionsAsync), (int count, int skip) => (IReadOnlyList<WalletEntry>)[.. _listed.AsEnumerable().Reverse().Skip(skip).Take(count).Reverse()]);
        _node.On(nameof(IBitcoinNode.GetBlockInfoAsync), (BlockHash block) => (BlockInfo?)new BlockInfo(block, 0, _height + 1, null, default, default));
        _node.On(nameof(IBitcoinNode.GetTransactionAsync), (Txid _) => _asked);
        var settings = new EngineSettings { DataFolder = "/nowhere", Origin = BegunLedger.Origin, ConfirmationsToCredit = [new ConfirmationRule(0, 3)] };
        _watcher = new DepositWatcher(new SettlementTerm(new PartitionSet([_partition])), seam, settings, NullLogger.Instance, listedAtOnce: 4);
    }

    public async ValueTask InitializeAsync()
    {
        (_, _wallet) = await BegunLedger.BeginAsync(_partition, TimeProvider.System, sat: 1_000);
        // What the ledger begins with is settled: nobody asks for it.
        Assert.Equal(Outcome.Accepted, (await _partition.SubmitAsync(
            new ChangeDeposit(default, DepositState.Final, false, BegunLedger.Script, new Sats(1_000), default, 1))).Outcome);
        await _partition.SubmitAsync(new AssignAddress(ClientIds.Next(TimeProvider.System), _wallet, AddressPurpose.Deposit, _script));
        _address = BitcoinAddress.FromScript(_script.Span, BitcoinNetwork.Regtest)!;
    }

    public async ValueTask DisposeAsync()
    {
        await _partition.DisposeAsync();
        _journal.Dispose();
    }

    [Fact]
    public async Task A_chain_that_stands_still_is_not_looked_at_again()
    {
        Pay(confirmations: 1);
        await LookAsync();
        await LookAsync();
        Assert.Equal(1, CountOf(nameof(IBitcoinNode.ListSinceBlockAsync)));
        _height++;
        Pay(confirmations: 2);
        await LookAsync();
        Assert.Equal(2, CountOf(nameof(IBitcoinNode.ListSinceBlockAsync)));
        // Another node may know more of the same chain.
        _watcher.LookAnew();
        await LookAsync();
        Assert.Equal(3, CountOf(nameof(IBitcoinNode.ListSinceBlockAsync)));
    }

    [Fact]
    public async Task What_the_node_does_not_know_is_set_aside_and_asked_for_at_every_look()
    {
        Pay(confirmations: 3);
        await LookAsync();
        Assert.Equal(DepositState.Credited, (await DepositAsync()).State);
        _listed.Clear();
        _height++;
        // The wallet may be an old copy, too: until it is rescanned nothing goes on.
        Assert.False(await _watcher.LookAsync(Cancel));
        Assert.Equal(DepositState.Frozen, (await DepositAsync()).State);
        Assert.True(await _watcher.LookAsync(0, Cancel));
        Assert.Equal(DepositState.Frozen, (await DepositAsync()).State);
        _asked = new WalletTransaction(_output.Txid, 4, Block(98), 98, null, [], [], []);
        await LookAsync();
        Assert.Equal(DepositState.Credited, (await DepositAsync()).State);
    }

    [Fact]
    public async Task A_list_that_is_too_long_to_be_answered_is_read_in_pages()
    {
        Pay(confirmations: 3);
        for (uint other = 0; other < 10; other++) _listed.Add(_listed[0] with { Address = _elsewhere, Output = new OutPoint(default, other) });
        (_listed[0], _listed[^1]) = (_listed[^1], _listed[0]);
        _node.On(nameof(IBitcoinNode.ListSinceBlockAsync), (BlockHash? since) => since == Block(_height)
            ? (WalletChanges?)new WalletChanges([], [], Genesis) : throw new NodeException(NodeFailure.Unknown, "too long") { IsAnswerTooLong = true });
        await LookAsync();
        Assert.Equal(DepositState.Credited, (await DepositAsync()).State);
        // What is in the list is not asked for by itself.
        Assert.DoesNotContain(nameof(IBitcoinNode.GetTransactionAsync), _node.Calls);
        Assert.True(CountOf(nameof(IBitcoinNode.ListTransactionsAsync)) > 2);
        // And so at every look, until it is shorter.
        _height++;
        Pay(confirmations: 4);
        await LookAsync();
        Assert.DoesNotContain(nameof(IBitcoinNode.GetTransactionAsync), _node.Calls);
    }

    [Fact]
    public async Task After_a_rescan_everything_is_read_in_pages_and_what_is_below_its_first_block_left_out()
    {
        _node.On(nameof(IBitcoinNode.GetBlockInfoAsync), (BlockHash block) => (BlockInfo?)new BlockInfo(block, 120, 1, null, default, default));
        await LookAsync();
        _height = 140;
        Pay(confirmations: 3);
        _listed.Add(_listed[0] with { Output = new OutPoint(_output.Txid, 4), Confirmations = 50, Block = Block(91), Height = 91 });
        for (uint other = 0; other < 10; other++) _listed.Add(_listed[0] with { Address = _elsewhere, Output = new OutPoint(default, other) });
        // What the wallet learned in the rescan is the newest of all.
        _listed.Reverse();
        _node.On(nameof(IBitcoinNode.ListSinceBlockAsync), (BlockHash? since) => since == Block(_height) ? (WalletChanges?)new WalletChanges([], [], Genesis) : null);
        Assert.True(await _watcher.LookAsync(92, Cancel));
        Assert.Equal(3u, (await DepositAsync()).OutPoint.Index);
        Assert.True(await _watcher.LookAsync(91, Cancel));
        Assert.Equal([3u, 4u], (await _partition.QueryAsync(ledger => ledger.DepositsOf(_wallet))).Select(d => d.OutPoint.Index).Order());
    }

    [Fact]
    public async Task An_output_that_pays_something_else_than_before_is_not_believed()
    {
        Pay(confirmations: 1);
        await LookAsync();
        _height += 2;
        Pay(confirmations: 3, new Sats(60_000));
        Assert.Equal(NodeFailure.Unknown, (await Assert.ThrowsAsync<NodeException>(LookAsync)).Failure);
        Assert.Equal((DepositState.Seen, Amount), ((await DepositAsync()).State, (await DepositAsync()).Amount));
        Pay(confirmations: 3);
        await LookAsync();
        Assert.Equal(DepositState.Credited, (await DepositAsync()).State);
    }

    [Theory]
    [InlineData(Lie.Amount)]
    [InlineData(Lie.Index)]
    [InlineData(Lie.IndexBehindTheLast)]
    [InlineData(Lie.Address)]
    [InlineData(Lie.Transaction)]
    [InlineData(Lie.Block)]
    [InlineData(Lie.BlockUnknown)]
    [InlineData(Lie.BlockCut)]
    public async Task What_is_listed_and_is_not_in_the_block_is_not_believed_even_the_first_time(Lie lie)
    {
        var other = new ByteString([0x51, 32, .. RandomNumberGenerator.GetBytes(32)]);
        await _partition.SubmitAsync(new AssignAddress(ClientIds.Next(TimeProvider.System), _wallet, AddressPurpose.Deposit, other));
        var entries = _partition.DurableSequence;
        Pay(confirmations: 3);
        var (truth, bytes) = (_listed[0], BytesOf(Block(98)));
        _listed[0] = lie switch
        {
            Lie.Amount => truth with { Amount = new Sats(60_000) },
            Lie.Index => truth with { Output = truth.Output with { Index = 2 } },
            Lie.IndexBehindTheLast => truth with { Output = truth.Output with { Index = 6 } },
            Lie.Address => truth with { Address = BitcoinAddress.FromScript(other.Span, BitcoinNetwork.Regtest)! },
            Lie.Transaction => truth with { Output = truth.Output with { Txid = PayingTo(_script, 7, 7, 7, Amount.Value).Txid } },
            _ => truth,
        };
        if (lie == Lie.Block) _node.On(nameof(IBitcoinNode.GetBlockAsync), (BlockHash _) => (byte[]?)BytesOf(Block(97)));
        if (lie == Lie.BlockUnknown) _node.On(nameof(IBitcoinNode.GetBlockAsync), (BlockHash _) => (byte[]?)null);
        if (lie == Lie.BlockCut) _node.On(nameof(IBitcoinNode.GetBlockAsync), (BlockHash _) => (byte[]?)bytes[..^1]);
        Assert.Equal(NodeFailure.Unknown, (await Assert.ThrowsAsync<NodeException>(LookAsync)).Failure);
        Assert.Empty(await _partition.QueryAsync(ledger => ledger.DepositsOf(_wallet)));
        Assert.Equal(entries, _partition.DurableSequence);
        // The truth is credited as soon as it is told.
        _listed[0] = truth;
        _node.On(nameof(IBitcoinNode.GetBlockAsync), (BlockHash _) => (byte[]?)bytes);
        await LookAsync();
        Assert.Equal((DepositState.Credited, Amount), ((await DepositAsync()).State, (await DepositAsync()).Amount));
    }

    public enum Lie
    {
        Amount,
        Index,
        IndexBehindTheLast,
        Address,
        Transaction,
        Block,
        BlockUnknown,
        BlockCut,
    }

    [Fact]
    public async Task A_block_is_asked_for_once_for_all_of_its_outputs_and_not_again()
    {
        Pay(confirmations: 1);
        _listed.Add(_listed[0] with { Output = new OutPoint(_output.Txid, 4) });
        await LookAsync();
        _height++;
        Pay(confirmations: 2);
        await LookAsync();
        Assert.Equal(1, CountOf(nameof(IBitcoinNode.GetBlockAsync)));
    }

    [Fact]
    public async Task Of_a_block_that_the_node_has_pruned_its_wallet_must_have_the_transaction()
    {
        _node.On(nameof(IBitcoinNode.GetBlockAsync), (BlockHash block) => block == default ? (byte[]?)null : throw new NodeException(RpcError.WalletError, "Block not available (pruned data)"));
        Pay(confirmations: 3);
        _asked = new WalletTransaction(_output.Txid, 3, Block(98), 98, null, [], [], PayingTo(_script, 7, 7, 7, Amount.Value).Stripped);
        Assert.Equal(NodeFailure.Unknown, (await Assert.ThrowsAsync<NodeException>(LookAsync)).Failure);
        _asked = _asked with { Raw = _transaction.Stripped };
        await LookAsync();
        Assert.Equal(DepositState.Credited, (await DepositAsync()).State);
    }

    [Fact]
    public async Task One_that_was_never_credited_and_comes_back_is_seen_again()
    {
        Pay(confirmations: 1);
        await LookAsync();
        _listed.Clear();
        foreach (var (confirmations, state) in new[] { (0, DepositState.Seen), (-1, DepositState.Frozen), (0, DepositState.Frozen) })
        {
            _height++;
            _asked = new WalletTransaction(_output.Txid, confirmations, null, null, null, [], [], []);
            await LookAsync();
            Assert.Equal(state, (await DepositAsync()).State);
        }
        _height++;
        Pay(confirmations: 1);
        await LookAsync();
        Assert.Equal((DepositState.Seen, Block(_height)), ((await DepositAsync()).State, (await DepositAsync()).Block));
    }

    [Fact]
    public async Task One_that_waits_and_left_its_block_has_no_confirmations()
    {
        Pay(confirmations: 2);
        await LookAsync();
        Assert.Equal((Block(_height - 1), (uint)_height - 1), ((await DepositAsync()).Block, (await DepositAsync()).Height));
        _listed.Clear();
        _height++;
        _asked = new WalletTransaction(_output.Txid, 0, null, null, null, [], [], []);
        await LookAsync();
        Assert.Equal((DepositState.Seen, default, 0u), ((await DepositAsync()).State, (await DepositAsync()).Block, (await DepositAsync()).Height));
        // Nothing more is journaled of it while it waits.
        var entries = _partition.DurableSequence;
        _height++;
        await LookAsync();
        Assert.Equal(entries, _partition.DurableSequence);
        _height++;
        Pay(confirmations: 3);
        await LookAsync();
        Assert.Equal(DepositState.Credited, (await DepositAsync()).State);
    }

    [Fact]
    public async Task Several_outputs_of_one_transaction_to_one_address_are_credited_each()
    {
        Pay(confirmations: 3);
        _listed.Add(_listed[0] with { Output = new OutPoint(_output.Txid, 4) });
        _listed.Add(_listed[0] with { Output = new OutPoint(_output.Txid, 5), Amount = new Sats(1) });
        // Told twice, it is one.
        _listed.Add(_listed[0]);
        await LookAsync();
        var deposits = await _partition.QueryAsync(ledger => ledger.DepositsOf(_wallet));
        Assert.Equal([(3u, Amount, false), (4u, Amount, false), (5u, new Sats(1), true)], deposits.Select(d => (d.OutPoint.Index, d.Amount, d.Suspense)).Order());
        Assert.All(deposits, d => Assert.Equal(DepositState.Credited, d.State));
        var (wallet, totals) = await _partition.QueryAsync(ledger => (ledger.FindWallet(_wallet)!.Value, ledger.Totals));
        Assert.Equal((2 * Amount.ToMsat().Value, 1_000), (wallet.Available.Value, totals.Suspense));
    }

    private async Task LookAsync() => await _watcher.LookAsync(Cancel);

    /// <summary>The node lists the payment, and nothing else.</summary>
    private void Pay(int confirmations, Sats? amount = null)
    {
        _listed.Clear();
        var height = _height + 1 - confirmations;
        _listed.Add(new WalletEntry(WalletEntryCategory.Receive, _output, _address, amount ?? Amount, confirmations, Block(height), height, false));
    }

    private async Task<Deposit> DepositAsync() => Assert.Single(await _partition.QueryAsync(ledger => ledger.DepositsOf(_wallet)));

    private int CountOf(string call) => _node.Calls.Count(c => c == call);

    private BlockHash Block(int height)
    {
        Assert.True(BlockHeader.TryParse(HeadOf(height), out var header));
        return header.Hash;
    }

    /// <summary>A header that commits to the transaction, another one for each height.</summary>
    private byte[] HeadOf(int height)
    {
        var head = new byte[BlockHeader.Bytes];
        _transaction.Txid.Hash.Write(head.AsSpan(36));
        BitConverter.TryWriteBytes(head.AsSpan(76), height);
        return head;
    }

    private byte[] BytesOf(BlockHash block) => [.. HeadOf(Enumerable.Range(1, 1_000).First(height => Block(height) == block)), 1, .. _transaction.Stripped];

    private static BitcoinTransaction PayingTo(ByteString script, params long[] amounts)
    {
        byte[] raw = [2, 0, 0, 0, 1, .. RandomNumberGenerator.GetBytes(36), 0, 0xff, 0xff, 0xff, 0xff, (byte)amounts.Length,
            .. amounts.SelectMany(sat => (byte[])[.. BitConverter.GetBytes(sat), (byte)script.Length, .. script.Span]), 0, 0, 0, 0];
        Assert.True(BitcoinTransaction.TryParse(raw, out var transaction));
        return transaction;
    }
}
