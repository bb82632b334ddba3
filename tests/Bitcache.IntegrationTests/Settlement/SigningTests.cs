using System.Text.Json.Nodes;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>A node whose wallet has public keys only: what it builds is signed by another wallet, which stands for a signer
/// elsewhere.</summary>
[Trait("suite", "node")]
public sealed class SigningTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    private static readonly Sats Amount = new(70_000);
    private static int _wallets;

    private static CancellationToken Cancel => EngineHarness.Cancel;

    /// <summary>A wallet with keys, and the engine on one that watches the same addresses without them.</summary>
    private async Task<(EngineHarness Harness, BitcoinRpcNode Signer)> StartAsync()
    {
        var number = Interlocked.Increment(ref _wallets);
        var (signer, watching) = ($"signer-{number}", $"watching-{number}");
        var rpc = regtest.Node.Rpc;
        await rpc.CallAsync(null, "createwallet", [signer], a => a.ValueKind, Cancel);
        await rpc.CallAsync(null, "createwallet", [watching, true, true], a => a.ValueKind, Cancel);
        var descriptors = await rpc.CallAsync(signer, "listdescriptors", [], a => JsonNode.Parse(a.GetProperty("descriptors").GetRawText())!.AsArray(), Cancel);
        var imports = new JsonArray([.. descriptors.Select(d => (JsonNode)new JsonObject
        {
            ["desc"] = d!["desc"]!.DeepClone(),
            ["active"] = true,
            ["internal"] = d["internal"]!.DeepClone(),
            ["range"] = d["range"]!.DeepClone(),
            ["timestamp"] = "now",
        })]);
        await rpc.CallAsync(watching, "importdescriptors", [imports], a => a.ValueKind, Cancel);
        var harness = await EngineHarness.StartAsync(regtest.Node, new BitcoinRpcNode(rpc, watching), change: settings => settings with { ExternalSigner = true });
        return (harness, new BitcoinRpcNode(rpc, signer));
    }

    private static async Task<(WithdrawalKey Key, SigningRequest Request)> AskAsync(EngineHarness harness)
    {
        await harness.TopUpAsync(new Sats(200_000));
        var wallet = await harness.FundedWalletAsync(new Sats(1_000_000));
        var key = await harness.WithdrawAsync(wallet, await harness.Node.NewMinerAddressAsync(Cancel), Amount);
        await harness.CloseEpochAsync();
        return (key, Assert.Single(await harness.Engine.ListSigningAsync()));
    }

    private static async Task<string> SignAsync(BitcoinRpcNode signer, Preparation prepared) =>
        (await signer.WalletProcessPsbtAsync(Convert.ToBase64String(prepared.Psbt.Span), Cancel)).Psbt;

    private static async Task FinishAsync(EngineHarness harness, WithdrawalKey key)
    {
        await harness.MineAsync(1);
        await harness.MineAsync(EngineHarness.ToFinal);
        Assert.Equal(WithdrawalState.Paid, (await harness.Partition.QueryAsync(ledger => ledger.FindWithdrawal(key)))!.State);
        Assert.Equal(Amount.ToMsat().Value, (await harness.TotalsAsync()).Withdrawn);
        Assert.False((await harness.Engine.HealthAsync()).Chain.ReservesShort);
    }

    [Fact]
    public async Task What_is_handed_out_is_signed_elsewhere_sent_and_paid_once()
    {
        var (started, signer) = await StartAsync();
        await using var harness = started;
        var (key, request) = await AskAsync(harness);
        // It stays, whatever happens to the process, and nothing is built beside it. The log is cut behind it first: a turn that
        // closing the epoch woke would do so while states are compared.
        await harness.TurnAsync();
        await harness.ReopenAsync();
        await harness.MineAsync(EngineHarness.Target + 1);
        Assert.Equal(request.Prepared.Txid, Assert.Single(await harness.Engine.ListSigningAsync()).Prepared.Txid);
        Assert.Contains("to be signed elsewhere", Assert.Single((await harness.Engine.HealthAsync()).LiveFamilies).Waiting, StringComparison.Ordinal);

        var txid = request.Prepared.Txid;
        var unsigned = Convert.ToBase64String(request.Prepared.Psbt.Span);
        Assert.Equal(SignedOutcome.NotSigned, await harness.Engine.TakeSignedAsync(txid, unsigned, Cancel));
        Assert.Equal(SignedOutcome.Malformed, await harness.Engine.TakeSignedAsync(txid, "cHNidP8=", Cancel));
        Assert.Equal(SignedOutcome.NotFound, await harness.Engine.TakeSignedAsync(default, unsigned, Cancel));
        var signed = await SignAsync(signer, request.Prepared);
        await StopAsync(harness, stopped: true);
        Assert.Empty(await harness.Engine.ListSigningAsync());
        Assert.Equal(SignedOutcome.Stopped, await harness.Engine.TakeSignedAsync(txid, signed, Cancel));
        await StopAsync(harness, stopped: false);
        Assert.Equal(SignedOutcome.Taken, await harness.Engine.TakeSignedAsync(txid, signed, Cancel));
        Assert.Equal(SignedOutcome.TakenBefore, await harness.Engine.TakeSignedAsync(txid, signed, Cancel));
        Assert.Empty(await harness.Engine.ListSigningAsync());
        await harness.TurnAsync();
        Assert.NotNull(await regtest.Node.Node.GetMempoolEntryAsync(txid, Cancel));
        await FinishAsync(harness, key);
    }

    [Fact]
    public async Task Another_transaction_of_the_signer_is_not_taken_for_it()
    {
        var (started, signer) = await StartAsync();
        await using var harness = started;
        var (key, request) = await AskAsync(harness);
        var coins = new JsonArray(new JsonObject { ["txid"] = Input(request).Txid.ToString(), ["vout"] = Input(request).Index });
        var other = await regtest.Node.Rpc.CallAsync(
            null, "createpsbt", [coins, new JsonObject { [await harness.Node.NewMinerAddressAsync(Cancel)] = "0.00001000" }], NodeJson.ToText, Cancel);
        var signed = (await signer.WalletProcessPsbtAsync(other, Cancel)).Psbt;
        Assert.Equal(SignedOutcome.Other, await harness.Engine.TakeSignedAsync(request.Prepared.Txid, signed, Cancel));
        await harness.Engine.TakeSignedAsync(request.Prepared.Txid, await SignAsync(signer, request.Prepared), Cancel);
        await harness.TurnAsync();
        await FinishAsync(harness, key);
    }

    [Fact]
    public async Task Signatures_are_checked_for_the_coins_that_were_handed_out()
    {
        var (started, signer) = await StartAsync();
        await using var harness = started;
        var (key, request) = await AskAsync(harness);
        var node = regtest.Node.Node;
        var signed = await SignAsync(signer, request.Prepared);
        var raw = (await node.FinalizePsbtAsync(signed, Cancel))!;
        var inputs = (await node.DecodePsbtAsync(Convert.ToBase64String(request.Prepared.Psbt.Span), Cancel)).Inputs;
        var spent = inputs.Select(i => new SpentCoin(i.Output, new TransactionOutput(i.Spent!.Amount, i.Spent.Script))).ToArray();
        Assert.True(await node.IsSignedAsync(raw, spent, Cancel));
        // Those of taproot commit to the amounts that are spent (BIP-341).
        var other = spent.Select(s => s with { Coin = s.Coin with { Value = s.Coin.Value + new Sats(1) } }).ToArray();
        Assert.False(await node.IsSignedAsync(raw, other, Cancel));
        Assert.Equal(SignedOutcome.Taken, await harness.Engine.TakeSignedAsync(request.Prepared.Txid, signed, Cancel));
        await harness.TurnAsync();
        await FinishAsync(harness, key);
    }

    [Theory]
    // Whether it is in a block when it is noticed.
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_the_signer_sends_by_itself_is_noticed(bool isMined)
    {
        var (started, signer) = await StartAsync();
        await using var harness = started;
        var (key, request) = await AskAsync(harness);
        var raw = await regtest.Node.Node.FinalizePsbtAsync(await SignAsync(signer, request.Prepared), Cancel);
        Assert.Equal(BroadcastOutcome.Accepted, (await regtest.Node.Node.SendRawTransactionAsync(raw!, Cancel)).Outcome);
        if (isMined) await harness.MineAsync(1);
        else await harness.TurnAsync();
        Assert.Equal(request.Prepared.Txid, Assert.Single((await harness.FamilyAsync(1)).Attempts).Txid);
        await FinishAsync(harness, key);
    }

    [Fact]
    public async Task A_replacement_is_signed_elsewhere_too_and_either_may_confirm()
    {
        var (started, signer) = await StartAsync();
        await using var harness = started;
        var (key, first) = await AskAsync(harness);
        await harness.Engine.TakeSignedAsync(first.Prepared.Txid, await SignAsync(signer, first.Prepared), Cancel);
        await harness.TurnAsync();
        await harness.MineEmptyAsync(EngineHarness.Target);
        var second = Assert.Single(await harness.Engine.ListSigningAsync());
        Assert.True(second.Prepared.Fee > first.Prepared.Fee);
        Assert.Equal(2, second.Prepared.Number);
        await harness.Engine.TakeSignedAsync(second.Prepared.Txid, await SignAsync(signer, second.Prepared), Cancel);
        await harness.TurnAsync();
        Assert.NotNull(await regtest.Node.Node.GetMempoolEntryAsync(second.Prepared.Txid, Cancel));
        await FinishAsync(harness, key);
        Assert.Equal(2, (await harness.FamilyAsync(1)).Confirmation!.Attempt);
    }

    [Fact]
    public async Task What_was_made_impossible_before_it_came_back_is_built_anew()
    {
        var (started, signer) = await StartAsync();
        await using var harness = started;
        var (key, first) = await AskAsync(harness);
        // What this costs comes from outside, or reserves would be short.
        var amount = (await signer.DecodePsbtAsync(Convert.ToBase64String(first.Prepared.Psbt.Span), Cancel)).Inputs[0].Spent!.Amount;
        var own = await signer.GetRawChangeAddressAsync(Cancel);
        var other = await signer.CreatePsbtAsync([Input(first)], [new PayOutput(own, amount - new Sats(1_000))], Cancel);
        var spend = (await signer.WalletProcessPsbtAsync(other, Cancel)).Transaction!;
        Assert.Equal(BroadcastOutcome.Accepted, (await regtest.Node.Node.SendRawTransactionAsync(spend, Cancel)).Outcome);
        await regtest.Node.PayAsync(own, new Sats(10_000), Cancel);
        await harness.MineAsync(EngineHarness.ToFinal - 1);
        Assert.Equal(first.Prepared.Txid, Assert.Single(await harness.Engine.ListSigningAsync()).Prepared.Txid);
        await harness.MineAsync(1);
        var dead = await harness.FamilyAsync(1);
        Assert.Equal((FamilyState.Dead, Input(first)), (dead.State, dead.Spend!.Output));
        await harness.TurnAsync();

        var second = Assert.Single(await harness.Engine.ListSigningAsync());
        Assert.Equal(2, second.Family.Number);
        Assert.Equal(dead.Withdrawals, second.Family.Withdrawals);
        Assert.Equal(SignedOutcome.NotFound, await harness.Engine.TakeSignedAsync(first.Prepared.Txid, await SignAsync(signer, first.Prepared), Cancel));
        Assert.Equal(SignedOutcome.Taken, await harness.Engine.TakeSignedAsync(second.Prepared.Txid, await SignAsync(signer, second.Prepared), Cancel));
        await harness.TurnAsync();
        await FinishAsync(harness, key);
    }

    private static async Task StopAsync(EngineHarness harness, bool stopped) => Assert.Equal(
        Outcome.Accepted, (await harness.Partitions.StopWithdrawalsAsync(new StopWithdrawals(EngineHarness.NewId(), stopped))).Outcome);

    private static OutPoint Input(SigningRequest request)
    {
        Assert.True(Psbt.TryReadTransaction(request.Prepared.Psbt.Span, out var transaction));
        return transaction.Inputs[0].Spent;
    }
}
