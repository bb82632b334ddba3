using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.Tests.Ledgers;
using Bitcache.Tests.Partitions;

namespace Bitcache.Tests.Settlement;

/// <summary>A replacement is believed no more than a first attempt: one that is not what was asked for is not signed.</summary>
[Trait("suite", "core")]
public sealed class ReplacementCheckTests
{
    private const int Height = 9;
    private static readonly OutPoint Coin = RuleTable.Output("coin");
    private static readonly OutPoint Added = RuleTable.Output("added");
    private static readonly PsbtOutput Payment = new(new Sats(400), [.. RuleTable.Script("payee").Span]);
    private static readonly PsbtOutput Change = new(new Sats(300), [.. RuleTable.Script("change").Span]);

    private readonly IBitcoinNode _seam;
    private readonly NodeOfCalls _node;

    public ReplacementCheckTests()
    {
        (_seam, _node) = NodeOfCalls.Create();
        _node.On(nameof(IBitcoinNode.GetAddressInfoAsync), (string address) =>
            new AddressInfo(address == BitcoinAddress.FromScript(Change.Script, BitcoinNetwork.Regtest), false, []));
        _node.On(nameof(IBitcoinNode.PsbtBumpFeeAsync), (Txid _) => new FundedPsbt("bumped", new Sats(80)));
        _node.On(nameof(IBitcoinNode.WalletCreateFundedPsbtAsync), (IReadOnlyList<OutPoint> _) => new FundedPsbt("funded", new Sats(80)));
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_replacement_with_another_coin_and_its_change_elsewhere_is_signed()
    {
        var (psbt, raw) = Give([Coin, Added], [Change, Payment], 80);
        var result = await BuildAsync();
        Assert.Equal(new SignAttempt(1, 2, psbt.Txid, new Sats(80), new ByteString(raw), Height), result.Attempt);
        Assert.DoesNotContain(nameof(IBitcoinNode.WalletCreateFundedPsbtAsync), _node.Calls);
    }

    [Fact]
    public async Task What_the_wallet_does_not_know_is_funded_again_out_of_the_same_coins()
    {
        _node.On(nameof(IBitcoinNode.PsbtBumpFeeAsync), (Txid _) =>
            (FundedPsbt?)null ?? throw new NodeException(RpcError.InvalidAddressOrKey, "Invalid or non-wallet transaction id"));
        IReadOnlyList<OutPoint>? inputs = null;
        _node.On(nameof(IBitcoinNode.WalletCreateFundedPsbtAsync), (IReadOnlyList<OutPoint> given) =>
        {
            inputs = given;
            return new FundedPsbt("funded", new Sats(80));
        });
        Give([Coin], [Payment, Change], 80);
        Assert.NotNull((await BuildAsync()).Attempt);
        Assert.Equal([Coin], inputs);
    }

    [Theory]
    [InlineData("leaves out a coin")]
    [InlineData("no more than the attempt before it")]
    [InlineData("more than the 100 sat held for it")]
    [InlineData("outputs that were asked for are missing")]
    [InlineData("outputs that were not asked for")]
    [InlineData("pays a stranger")]
    [InlineData("belongs to another live family")]
    [InlineData("would spend the anchor's output")]
    [InlineData("an anchor's output that this must not spend")]
    [InlineData("is not segwit")]
    [InlineData("to its miner")]
    public async Task One_that_is_not_what_was_asked_for_is_not_signed(string why)
    {
        var stranger = Change with { Script = [.. RuleTable.Script("stranger").Span] };
        var (inputs, outputs, fee) = why switch
        {
            "leaves out a coin" => ([Added], [Payment, Change], 80L),
            "no more than the attempt before it" => ([Coin], [Payment, Change], 50L),
            "more than the 100 sat held for it" => ([Coin], [Payment, Change], 101L),
            "outputs that were asked for are missing" => ([Coin], [Payment with { Amount = new Sats(399) }, Change], 80L),
            "outputs that were not asked for" => ([Coin], [Payment, Change, Change], 80L),
            "pays a stranger" => ([Coin], [Payment, stranger], 80L),
            "belongs to another live family" => ([Coin, RuleTable.Output("taken")], [Payment, Change], 80L),
            "would spend the anchor's output" => ([Coin, RuleTable.Output("tip")], [Payment, Change], 80L),
            "to its miner" => ([Coin], [Payment, Change], 80L),
            "an anchor's output that this must not spend" => ([Coin, RuleTable.Output("anchored")], [Payment, Change], 80L),
            _ => ((OutPoint[])[Coin, RuleTable.Output("old")], (PsbtOutput[])[Payment, Change], 80L),
        };
        Give(inputs, outputs, fee, fee + (why == "to its miner" ? 1 : 0));
        var result = await BuildAsync();
        Assert.Null(result.Attempt);
        Assert.Contains(why, result.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain(nameof(IBitcoinNode.WalletProcessPsbtAsync), _node.Calls);
    }

    /// <summary>Replaces a family's first attempt, which spends one coin and pays one withdrawal and its change for 50 sat.</summary>
    private Task<BuildResult> BuildAsync(bool externalSigner = false)
    {
        var script = new ByteString(Payment.Script);
        var key = new WithdrawalKey(RuleTable.Wallet("a"), default);
        var first = Raw([Coin], [Payment, Change]);
        Assert.True(BitcoinTransaction.TryParse(first, out var parsed));
        var family = new Family(
            1, default, new Sats(100), null, [key], FamilyState.Signed, [new Attempt(1, parsed.Txid, new Sats(50), new ByteString(first), 3)], null);
        var withdrawal = new Withdrawal(key, script, Payment.Amount, default, 1, WithdrawalState.InFamily, 1, default);
        var order = new BuildOrder(
            family, [withdrawal], BegunLedger.Origin, RuleTable.Script("anchor"), null,
            new HashSet<OutPoint> { RuleTable.Output("taken") }, RuleTable.Output("tip"), Height);
        var builder = new PayoutBuilder(_seam, new EngineSettings { DataFolder = "/nowhere", Origin = BegunLedger.Origin, ExternalSigner = externalSigner });
        return builder.ReplaceAsync(order, new FeeRate(5_000), Cancel);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_transaction_that_is_another_than_the_node_said_is_not_taken_though_it_has_its_name(int what)
    {
        var (psbt, _) = Give([Coin], [Payment, Change], 80);
        var stranger = Change with { Script = [.. RuleTable.Script("stranger").Span] };
        var (inputs, outputs) = what switch
        {
            0 => ([Coin], [Payment, stranger]),
            1 => ([Coin], [Payment, Change with { Amount = new Sats(299) }]),
            _ => ((OutPoint[])[Added], (PsbtOutput[])[Payment, Change]),
        };
        var raw = Raw(inputs, outputs);
        Assert.True(BitcoinTransaction.TryParse(raw, out var other));
        _node.On(nameof(IBitcoinNode.DecodePsbtAsync), (string _) => psbt with { Txid = other.Txid });
        _node.On(nameof(IBitcoinNode.WalletProcessPsbtAsync), (string text) => new SignedPsbt(text, raw));
        var result = await BuildAsync();
        Assert.Equal((null, BuildRefusal.NotAsAsked), (result.Attempt, result.Refusal));
    }

    [Theory]
    [InlineData("no base64!")]
    [InlineData("")]
    [InlineData("aGVsbG8=")]
    public async Task What_is_no_psbt_is_handed_to_nobody(string text)
    {
        Give([Coin], [Payment, Change], 80);
        _node.On(nameof(IBitcoinNode.WalletProcessPsbtAsync), (string _) => new SignedPsbt(text, null));
        var result = await BuildAsync(externalSigner: true);
        Assert.Equal((null, BuildRefusal.NotAsAsked), (result.Prepared, result.Refusal));
    }

    /// <summary>Has the node build a transaction and sign it.</summary>
    /// <param name="left">What it leaves to its miner, if that is not the fee.</param>
    private (DecodedPsbt Psbt, byte[] Raw) Give(OutPoint[] inputs, PsbtOutput[] outputs, long fee, long? left = null)
    {
        // The first coin pays for everything, any other is worth a satoshi.
        var first = new Sats(outputs.Sum(o => o.Amount.Value) + (left ?? fee) - (inputs.Length - 1));
        var raw = Raw(inputs, outputs);
        Assert.True(BitcoinTransaction.TryParse(raw, out var transaction));
        var psbt = new DecodedPsbt(
            transaction.Txid, raw.Length, 0,
            [.. inputs.Select((input, i) => new PsbtInput(input, 0, new PsbtOutput(
                i == 0 ? first : new Sats(1),
                input == RuleTable.Output("old") ? [0x76] : input == RuleTable.Output("anchored") ? [.. RuleTable.Script("anchor").Span] : Change.Script)))],
            outputs, new Sats(fee));
        _node.On(nameof(IBitcoinNode.DecodePsbtAsync), (string _) => psbt);
        _node.On(nameof(IBitcoinNode.WalletProcessPsbtAsync), (string text) => new SignedPsbt(text, raw));
        return (psbt, raw);
    }

    /// <summary>A transaction's bytes, without witnesses.</summary>
    private static byte[] Raw(OutPoint[] inputs, PsbtOutput[] outputs)
    {
        var bytes = new List<byte> { 2, 0, 0, 0, (byte)inputs.Length };
        foreach (var input in inputs)
        {
            var txid = new byte[Hash256.Bytes];
            input.Txid.Hash.Write(txid);
            bytes.AddRange([.. txid, .. BitConverter.GetBytes(input.Index), 0, 0xfd, 0xff, 0xff, 0xff]);
        }
        bytes.Add((byte)outputs.Length);
        foreach (var output in outputs) bytes.AddRange([.. BitConverter.GetBytes(output.Amount.Value), (byte)output.Script.Length, .. output.Script]);
        return [.. bytes, 0, 0, 0, 0];
    }
}
