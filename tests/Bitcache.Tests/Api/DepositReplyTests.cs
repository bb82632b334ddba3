using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Server.Api;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
public sealed class DepositReplyTests
{
    private static readonly EngineSettings Settings = new()
    {
        DataFolder = "",
        Origin = "ledger.test/log",
        Network = BitcoinNetwork.Regtest,
        ConfirmationsToCredit = [new ConfirmationRule(0, 2), new ConfirmationRule(10_000, 6)],
    };

    /// <summary>Up to where the chain was looked at; -1 before the first look. The deposit is in block 100.</summary>
    [Theory]
    [InlineData(9_999, 100, 1, 2)]
    [InlineData(10_000, 104, 5, 6)]
    [InlineData(10_000, 99, 1, 6)]
    [InlineData(10_000, -1, null, 6)]
    public void One_that_waits_says_how_many_confirmations_it_has_and_needs(long sat, int chainHeight, int? has, int needed)
    {
        var reply = DepositReply.Of(Deposit(sat, DepositState.Seen), Settings, chainHeight < 0 ? null : chainHeight);
        Assert.Equal(("seen", has, needed), (reply.State, reply.Confirmations, reply.ConfirmationsNeeded));
    }

    [Fact]
    public void One_whose_block_left_the_chain_has_no_confirmations_and_no_block()
    {
        var reply = DepositReply.Of(Deposit(10_000, DepositState.Seen) with { Height = 0 }, Settings, 104);
        Assert.Equal((0, 6, null, null), (reply.Confirmations, reply.ConfirmationsNeeded, reply.Block, reply.Height));
    }

    [Fact]
    public void A_coinbase_waits_until_it_is_mature()
    {
        var reply = DepositReply.Of(Deposit(5_000, DepositState.Seen) with { Suspense = true }, Settings, 180);
        Assert.Equal((81, 101), (reply.Confirmations, reply.ConfirmationsNeeded));
    }

    [Theory]
    [InlineData(DepositState.Credited, "credited")]
    [InlineData(DepositState.Frozen, "frozen")]
    [InlineData(DepositState.Reversed, "reversed")]
    [InlineData(DepositState.Final, "final")]
    public void One_that_does_not_wait_counts_nothing(DepositState state, string name)
    {
        var reply = DepositReply.Of(Deposit(5_000, state) with { Booked = true }, Settings, 180);
        Assert.Equal((name, null, null), (reply.State, reply.Confirmations, reply.ConfirmationsNeeded));
    }

    private static Deposit Deposit(long sat, DepositState state) => new(
        new OutPoint(new Txid(new Hash256(1, 2)), 0), new ByteString([0x51, 0x20, .. new byte[32]]), new WalletId(7), AddressPurpose.Deposit,
        new Sats(sat), state, Suspense: false, Booked: false, new BlockHash(default), 100, Msat.Zero, Msat.Zero);
}
