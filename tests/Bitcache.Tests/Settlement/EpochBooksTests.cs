using System.Security.Cryptography;
using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.Simulation.Bitcoin;

namespace Bitcache.Tests.Settlement;

/// <summary>What is stated about an epoch is what was owed and what there was at one block, and an anchor covers it.</summary>
[Trait("suite", "core")]
public sealed class EpochBooksTests : IAsyncLifetime
{
    private FakeNode _world = null!;
    private FakeBitcoind _fake = null!;
    private BitcoinRpc _rpc = null!;
    private LoopStage _stage = null!;

    public async ValueTask InitializeAsync()
    {
        _world = LoopStage.NewWorld();
        _fake = new FakeBitcoind(_world, new NodeFaults(seed: 1, oneIn: 0));
        _rpc = _fake.Connect();
        _stage = await LoopStage.CreateAsync(_world, new NodeSwitch([new NodeEndpoint("it", _rpc, LoopStage.WalletName)]));
    }

    public async ValueTask DisposeAsync()
    {
        await _stage.DisposeAsync();
        _rpc.Dispose();
        _fake.Dispose();
    }

    [Fact]
    public async Task The_books_say_what_is_owed_and_what_is_there_and_the_next_anchor_covers_them()
    {
        var tip = _world.Chain.Tip;
        await _stage.CloseEpochAsync();
        await _stage.TurnAsync();
        var (epoch, statement) = await StatedAsync(1);
        Assert.Equal((tip.Hash, (uint)tip.Height, epoch.Entries), (statement.Block, statement.Height, statement.CutSize));
        Assert.Equal(statement.Total, await OwedAsync());
        Assert.Equal(statement.Total, Check(statement).Total.ToMsat());
        var anchor = await _stage.AskAsync(ledger => ledger.NewestAnchor!.Anchor!);
        Assert.Equal((1, epoch.Stated + 1), (anchor.Epoch, anchor.TreeSize));
        Assert.False(await _stage.AskAsync(ledger => ledger.HasBalances));
    }

    [Fact]
    public async Task Balances_are_those_at_the_cut_whatever_is_paid_while_the_books_are_closed()
    {
        await _stage.CloseEpochAsync();
        await _stage.PayOperatorAsync(new Msat(1_234_567));
        await _stage.TurnAsync();
        var (_, statement) = await StatedAsync(1);
        var first = AllocationOf(1);
        Assert.Equal(600_000_000, first[_stage.Wallet]);
        await _stage.CloseEpochAsync();
        await _stage.TurnAsync();
        Assert.Equal(600_000_000 - 1_234_567, AllocationOf(2)[_stage.Wallet]);
        Assert.Equal(statement.Total, (await StatedAsync(2)).Statement.Total);
        Assert.NotEqual(statement.LiabilitiesRoot, (await StatedAsync(2)).Statement.LiabilitiesRoot);
    }

    [Fact]
    public async Task A_withdrawal_is_owed_until_it_is_in_a_block_and_listed_until_it_is_final()
    {
        await _stage.WithdrawAsync();
        var before = await _stage.CloseAndTurnAsync();
        // Its transaction is in the mempool now: what it spends is unspent in the chain.
        var waiting = await _stage.CloseAndTurnAsync();
        Assert.Equal(before.Total, waiting.Total);
        Assert.Empty(Check(waiting).Withdrawals);
        Assert.Equal(waiting.Total, Check(waiting).Total.ToMsat());

        _world.Mine();
        await _stage.TurnAsync();
        var mined = await _stage.CloseAndTurnAsync();
        var paid = Assert.Single(Check(mined).Withdrawals);
        Assert.Equal(30_000, paid.Amount.Value);
        var fee = await _stage.AskAsync(ledger => ledger.Families().Single(f => f.State == FamilyState.Confirmed).Attempts[0].Fee);
        Assert.Equal(waiting.Total - paid.Amount.ToMsat() - fee.ToMsat(), mined.Total);
        Assert.Equal(mined.Total, Check(mined).Total.ToMsat());
        Assert.Equal(600_000_000 - 30_000_000, AllocationOf(mined.Epoch)[_stage.Wallet]);

        for (var i = 0; i < LoopStage.ToFinal; i++)
        {
            _world.Mine();
            await _stage.TurnAsync();
        }
        var final = await _stage.CloseAndTurnAsync();
        Assert.Equal(final.Total, Check(final).Total.ToMsat());
        Assert.DoesNotContain(Check(final).Withdrawals, w => w.Output == paid.Output);
    }

    [Fact]
    public async Task Of_an_epoch_whose_block_leaves_the_chain_nothing_is_stated_and_the_next_one_is()
    {
        await _stage.CloseEpochAsync();
        _world.Invalidate(_world.Chain.Tip);
        _world.Mine();
        _world.Mine();
        await _stage.TurnAsync();
        Assert.Null(await _stage.AskAsync(ledger => ledger.LastStatedEpoch));
        Assert.False(await _stage.AskAsync(ledger => ledger.HasBalances));
        var second = await _stage.CloseAndTurnAsync();
        Assert.Equal(2, second.Epoch);
        Assert.Equal(2, await _stage.AskAsync(ledger => ledger.NewestAnchor!.Anchor!.Epoch));
        Assert.Equal(second.Total, Check(second).Total.ToMsat());
    }

    [Fact]
    public async Task A_block_that_leaves_the_chain_after_its_statement_is_a_reason_for_another_epoch()
    {
        var first = await _stage.CloseAndTurnAsync();
        await using var books = _stage.NewBooks();
        Assert.False(await books.IsMissingAsync(_world.Chain.Tip.Hash, TestContext.Current.CancellationToken));
        _world.Invalidate(_world.Chain.Tip);
        _world.Mine();
        _world.Mine();
        await _stage.TurnAsync();
        // Not at once: a minute of the ledger's time lies between two of them.
        Assert.False(await books.IsMissingAsync(_world.Chain.Tip.Hash, TestContext.Current.CancellationToken));
        _stage.Time.Pass(TimeSpan.FromMinutes(1));
        await _stage.AskAsync(ledger => ledger.NextSequence);
        Assert.True(await books.IsMissingAsync(_world.Chain.Tip.Hash, TestContext.Current.CancellationToken));
        await _stage.TurnAsync();
        var second = await StatedAsync(2);
        Assert.NotEqual(first.Block, second.Statement.Block);
        Assert.Equal(_world.Chain.Tip.Hash, second.Statement.Block);
        Assert.Equal(second.Statement.Total, Check(second.Statement).Total.ToMsat());
    }

    [Fact]
    public async Task Without_the_node_an_epoch_is_closed_and_nothing_is_stated_about_it()
    {
        _fake.IsDown = true;
        await _stage.CloseEpochAsync();
        await _stage.TurnAsync();
        Assert.Equal((1, null), await _stage.AskAsync(ledger => (ledger.LastEpoch!.Number, ledger.LastEpoch.Statement)));
        Assert.False(await _stage.AskAsync(ledger => ledger.HasBalances));
        _fake.IsDown = false;
        await _stage.TurnAsync();
        Assert.Equal(2, (await _stage.CloseAndTurnAsync()).Epoch);
    }

    [Fact]
    public async Task Books_that_a_restart_interrupts_are_closed_with_the_same_words()
    {
        await _stage.CloseEpochAsync();
        await _stage.PayOperatorAsync(new Msat(77));
        // The process ends here; another one takes the same ledger, whose replay keeps the balances, and the same folder.
        await using var again = _stage.NewBooks();
        await again.ResumeAsync();
        Assert.Equal(1, again.Health.Open);
        Assert.False(await again.AdvanceAsync(TestContext.Current.CancellationToken));
        var (_, statement) = await StatedAsync(1);
        Assert.Equal(statement.Total, Check(statement).Total.ToMsat());
        Assert.Equal(600_000_000, AllocationOf(1)[_stage.Wallet]);
        Assert.Equal(0, again.Health.Open);
    }

    [Fact]
    public async Task Facts_that_were_found_for_an_epoch_that_was_cut_without_them_are_not_used()
    {
        await using var books = _stage.NewBooks();
        Assert.NotNull(await books.PrepareAsync(1, _world.Chain.Tip.Hash, TestContext.Current.CancellationToken));
        _fake.IsDown = true;
        await _stage.CloseEpochAsync();
        _fake.IsDown = false;
        await using var again = _stage.NewBooks();
        await again.ResumeAsync();
        Assert.Equal(0, again.Health.Open);
        Assert.False(await _stage.AskAsync(ledger => ledger.HasBalances));
    }

    private async Task<(Epoch Epoch, EpochStatement Statement)> StatedAsync(long number)
    {
        var epoch = (await _stage.AskAsync(ledger => ledger.FindEpoch(number)))!;
        return (epoch, epoch.Statement ?? throw new InvalidOperationException($"nothing is stated about epoch {number}"));
    }

    private Task<Msat> OwedAsync() => _stage.AskAsync(ledger => new Msat(ledger.Totals.Liabilities));

    private sealed record Checked(Sats Total, IReadOnlyList<PaidWithdrawal> Withdrawals);

    /// <summary>The files are those that the statement names, and hold by themselves.</summary>
    private Checked Check(EpochStatement statement)
    {
        var (reserves, withdrawals) = (Read(statement, ReservesFile.Name), Read(statement, WithdrawalsFile.Name));
        Assert.Equal(statement.ReservesHash, Hash256.Read(SHA256.HashData(reserves)));
        Assert.Equal(statement.WithdrawalsHash, Hash256.Read(SHA256.HashData(withdrawals)));
        Assert.True(ReservesFile.TryParse(reserves, LoopStage.Settings.Origin, out var coins, out var refusal), refusal);
        Assert.Equal((statement.Epoch, statement.Height, statement.Block), (coins.Epoch, coins.Height, coins.Block));
        Assert.All(coins.Coins, coin => Assert.Equal("", coin.Check(BitcoinNetwork.Regtest)));
        Assert.True(WithdrawalsFile.TryParse(withdrawals, out var paid, out refusal), refusal);
        var lines = Encoding.ASCII.GetString(Read(statement, EpochFolder.LiabilitiesName)).Split('\n');
        Assert.Equal([$"block_height:{statement.Height}", $"{statement.LiabilitiesRoot},{statement.Total.Value}"], lines[..2]);
        return new Checked(coins.Total, paid);
    }

    private Dictionary<WalletId, long> AllocationOf(long epoch) => Encoding.ASCII.GetString(_stage.Epochs.Read(epoch, EpochFolder.AllocationName)!)
        .Split('\n')[1..^1].Select(line => line.Split(','))
        .Where(words => WalletId.TryParse(words[0], out _))
        .ToDictionary(words => WalletId.TryParse(words[0], out var wallet) ? wallet : default, words => long.Parse(words[2]));

    private byte[] Read(EpochStatement statement, string name) => _stage.Epochs.Read(statement.Epoch, name)!;
}
