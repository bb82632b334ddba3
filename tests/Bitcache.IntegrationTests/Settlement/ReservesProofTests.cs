using System.Text.Json.Nodes;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Settlement;
using Bitcache.IntegrationTests.Bitcoin;

namespace Bitcache.IntegrationTests.Settlement;

/// <summary>Proofs of reserves signed by real wallets, of coins with keys in the node's and of others elsewhere, and judged by a real
/// node.</summary>
[Trait("suite", "node")]
public sealed class ReservesProofTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    // Of the wallets that the test has sign.
    private readonly Dictionary<BitcoinRpcNode, string> _names = [];

    private static CancellationToken Cancel => EngineHarness.Cancel;

    [Fact]
    public async Task Coins_that_the_anchor_has_spent_by_now_are_proven_and_a_node_agrees_until_a_byte_is_changed()
    {
        await using var harness = await EngineHarness.StartAsync(regtest.Node);
        await harness.TopUpAsync(new Sats(200_000));
        var wallet = await harness.FundedWalletAsync(new Sats(500_000));
        var reserves = await StateAsync(harness);
        await ScanAsync(reserves);
        // A node that is told of the commitment alone asks for the coins, too.
        var early = new ReservesProof(reserves);
        Assert.Equal(ReservesProofFault.None, early.Take(Convert.FromBase64String(await SignAsync(regtest.Node.Node, Convert.ToBase64String(early.WriteForSigner()))), out _));
        Assert.True(await regtest.Node.Node.IsSignedAsync(early.ToTransaction(), [early.Spent[0]], Cancel));
        await harness.WithdrawAsync(wallet, await regtest.Node.NewMinerAddressAsync(Cancel), new Sats(30_000));
        await harness.MineAsync(1);
        Assert.False(await regtest.Node.Node.IsSignedAsync(early.ToTransaction(), [early.Spent[0]], Cancel));
        Assert.Contains(reserves.Coins, coin => !Exists(coin.Output));

        var proving = await harness.Engine.SignReservesAsync(1, Cancel);
        Assert.Equal((ProvingOutcome.Proven, null), (proving.Outcome, proving.Psbt));
        var file = (await harness.Engine.FindEpochFileAsync(1, EpochFolder.ReservesProofName))!.Value.Bytes!;
        Assert.Equal(ReservesProofFault.None, ReservesProof.TryRead(file, reserves, mustBeWhole: true, out var proof, out var refusal));
        Assert.Empty(refusal);
        Assert.Empty(proof!.LeftToNode);
        Assert.True(await regtest.Node.Node.IsSignedAsync(proof.ToTransaction(), proof.Spent, Cancel));
        var spoilt = Changed(proof).ToArray();
        Assert.Equal(reserves.Coins.Count, spoilt.Length);
        foreach (var changed in spoilt) Assert.False(await regtest.Node.Node.IsSignedAsync(changed, proof.Spent, Cancel));
        // It can be sent by nobody.
        Assert.NotEqual(BroadcastOutcome.Accepted, (await regtest.Node.Node.SendRawTransactionAsync(proof.ToTransaction(), Cancel)).Outcome);

        // Asked again it is what it was, also after a restart.
        await harness.ReopenAsync();
        Assert.Equal(ProvingOutcome.Proven, (await harness.Engine.SignReservesAsync(1, Cancel)).Outcome);
        Assert.Equal(file, (await harness.Engine.FindEpochFileAsync(1, EpochFolder.ReservesProofName))!.Value.Bytes);
        Assert.Equal(ProvingOutcome.NotStated, (await harness.Engine.FindReservesProofAsync(99, Cancel)).Outcome);
        await harness.MineAsync(EngineHarness.ToFinal);
    }

    [Fact]
    public async Task Coins_with_keys_elsewhere_are_signed_for_there_in_parts()
    {
        var (first, second) = (await NewSignerAsync(), await NewSignerAsync());
        string[] addresses = [await AddressAsync(first, "bech32"), await AddressAsync(first, "legacy"), await AddressAsync(first, "p2sh-segwit"), await AddressAsync(second, "bech32m")];
        var board = await BoardAsync(first, second);
        var descriptors = await Task.WhenAll(addresses.Select((address, i) => DescriptorAsync(i < 3 ? first : second, address)));
        foreach (var address in addresses.Append(board.Address)) await regtest.Node.PayAsync(address, new Sats(40_000), Cancel);
        await using var harness = await EngineHarness.StartAsync(regtest.Node, change: settings => settings with { ColdDescriptors = [.. descriptors, board.Descriptor] });
        await harness.TopUpAsync(new Sats(200_000));
        await harness.FundedWalletAsync(new Sats(300_000));
        var reserves = await StateAsync(harness);
        await ScanAsync(reserves);

        var proving = await harness.Engine.SignReservesAsync(1, Cancel);
        Assert.Equal((ProvingOutcome.Unsigned, 5), (proving.Outcome, proving.Proof!.Missing.Count()));
        Assert.Null(await harness.Engine.FindEpochFileAsync(1, EpochFolder.ReservesProofName));
        var (ofFirst, ofSecond) = (await SignAsync(first, proving.Psbt!), await SignAsync(second, proving.Psbt!));

        // What is broken or of something else is not taken.
        async Task<ProvingOutcome> HandInAsync(params string[] psbts) => (await harness.Engine.TakeReservesAsync(1, psbts, Cancel)).Outcome;
        Assert.Equal(ProvingOutcome.Malformed, await HandInAsync("cHNidP8="));
        Assert.Equal(ProvingOutcome.Malformed, await HandInAsync("no base64"));
        var other = new ReservesProof(reserves with { Epoch = 2 });
        Assert.Equal(ProvingOutcome.Other, await HandInAsync(await SignAsync(first, Convert.ToBase64String(other.WriteForSigner()))));
        var hot = new ReservesProof(reserves with { Coins = [reserves.Coins[0]] });
        Assert.Equal(ProvingOutcome.Other, await HandInAsync(Convert.ToBase64String(hot.WriteForSigner())));
        Assert.Equal(5, (await harness.Engine.FindReservesProofAsync(1, Cancel)).Proof!.Missing.Count());

        // The first signer's own coins; it has half of what the board's coin needs. It is durable.
        Assert.Equal(ProvingOutcome.Unsigned, await HandInAsync(ofFirst));
        await harness.ReopenAsync();
        proving = await harness.Engine.FindReservesProofAsync(1, Cancel);
        Assert.Equal([board.Script, ScriptOf(addresses[3])], proving.Proof!.Missing.Select(c => c.Script).OrderBy(s => s.Span[0]));
        Assert.Equal([ScriptOf(addresses[1]), ScriptOf(addresses[2])], proving.Proof.LeftToNode.Select(c => c.Script).OrderBy(s => s.Span[0]));
        Assert.Equal(ProvingOutcome.Proven, await HandInAsync(ofFirst, ofSecond));

        var file = (await harness.Engine.FindEpochFileAsync(1, EpochFolder.ReservesProofName))!.Value.Bytes!;
        Assert.Equal(ReservesProofFault.None, ReservesProof.TryRead(file, reserves, mustBeWhole: true, out var proof, out _));
        Assert.True(await regtest.Node.Node.IsSignedAsync(proof!.ToTransaction(), proof.Spent, Cancel));
        // The board's coin has two.
        var spoilt = Changed(proof).ToArray();
        Assert.Equal(reserves.Coins.Count + 1, spoilt.Length);
        foreach (var changed in spoilt) Assert.False(await regtest.Node.Node.IsSignedAsync(changed, proof.Spent, Cancel));
        await harness.MineAsync(EngineHarness.ToFinal);
    }

    [Fact]
    public async Task Whenever_the_line_to_the_node_is_cut_nothing_half_made_is_published_and_the_next_try_proves_it()
    {
        var (seam, guard) = GuardedNode.Create(regtest.Node.Node);
        await using var harness = await EngineHarness.StartAsync(regtest.Node, seam);
        await harness.TopUpAsync(new Sats(200_000));
        await StateAsync(harness);
        // The settlement loop makes calls of its own meanwhile.
        var isOurs = new AsyncLocal<bool> { Value = true };
        for (var cut = 0; ; cut++)
        {
            var calls = 0;
            guard.Stops = (_, _) => isOurs.Value && calls++ == cut;
            try
            {
                Assert.Equal(ProvingOutcome.Proven, (await harness.Engine.SignReservesAsync(1, Cancel)).Outcome);
                Assert.Equal(calls, cut);
                break;
            }
            catch (NodeUnavailableException)
            {
                Assert.Null(await harness.Engine.FindEpochFileAsync(1, EpochFolder.ReservesProofName));
                Assert.InRange(cut, 0, 20);
            }
        }
        Assert.NotNull(await harness.Engine.FindEpochFileAsync(1, EpochFolder.ReservesProofName));
        guard.Stops = (_, _) => false;
        await harness.MineAsync(EngineHarness.ToFinal);
    }

    /// <summary>Closes an epoch and waits for what is stated about it.</summary>
    private static async Task<ReservesFile> StateAsync(EngineHarness harness)
    {
        var epoch = await harness.CloseEpochAsync();
        for (var turn = 0; epoch.Statement is null && turn < 10; turn++)
        {
            await harness.TurnAsync();
            epoch = await harness.Partition.QueryAsync(ledger => ledger.LastEpoch!);
        }
        Assert.NotNull(epoch.Statement);
        var file = (await harness.Engine.FindEpochFileAsync(1, ReservesFile.Name))!.Value.Bytes!;
        Assert.True(ReservesFile.TryParse(file, harness.Engine.Settings.Origin, out var reserves, out var refusal), refusal);
        return reserves;
    }

    /// <summary>The node's own set of unspent outputs has as much at these scripts as is listed, while it is at the epoch's block.</summary>
    private async Task ScanAsync(ReservesFile reserves)
    {
        var scripts = new JsonArray([.. reserves.Coins.Select(coin => coin.Script.ToString()).Distinct().Select(script => (JsonNode)$"raw({script})")]);
        var scan = await regtest.Node.Rpc.CallAsync(
            null, "scantxoutset", ["start", scripts], a => (Total: a.Get("total_amount").ToSats(), Block: a.Get("bestblock").ToBlockHash()), Cancel);
        Assert.Equal((reserves.Total, reserves.Block), scan);
    }

    /// <summary>The transaction with one bit changed in the middle of each signature.</summary>
    private static IEnumerable<byte[]> Changed(ReservesProof proof)
    {
        var whole = proof.ToTransaction();
        // In DER a signature of ECDSA begins so, with 71 bytes or 70; one of taproot is 64 bytes alone on its stack.
        for (var at = 0; at < whole.Length - 66; at++)
        {
            if (!whole.AsSpan(at).StartsWith((ReadOnlySpan<byte>)[1, 64]) && !(whole[at] is 71 or 72 && whole[at + 1] == 0x30)) continue;
            byte[] changed = [.. whole];
            changed[at + 50] ^= 1;
            yield return changed;
        }
    }

    private bool Exists(OutPoint output) => regtest.Node.Node.FindChainCoinAsync(output, Cancel).GetAwaiter().GetResult() is not null;

    private async Task<BitcoinRpcNode> NewSignerAsync()
    {
        var signer = new BitcoinRpcNode(regtest.Node.Rpc, $"signer-{Guid.NewGuid():N}");
        await signer.CreateWalletAsync(Cancel);
        _names[signer] = (await signer.GetWalletInfoAsync(Cancel)).Name;
        return signer;
    }

    private Task<string> AddressAsync(BitcoinRpcNode signer, string kind) => regtest.Node.Rpc.CallAsync(_names[signer], "getnewaddress", ["", kind], NodeJson.ToText, Cancel);

    private Task<string> DescriptorAsync(BitcoinRpcNode signer, string address) =>
        regtest.Node.Rpc.CallAsync(_names[signer], "getaddressinfo", [address], a => a.Get("desc").ToText(), Cancel);

    private static async Task<string> SignAsync(BitcoinRpcNode signer, string psbt) => (await signer.WalletProcessPsbtAsync(psbt, Cancel)).Psbt;

    /// <summary>An address that takes both signers' keys.</summary>
    private async Task<(string Address, string Descriptor, ByteString Script)> BoardAsync(BitcoinRpcNode first, BitcoinRpcNode second)
    {
        async Task<string> KeyAsync(BitcoinRpcNode signer)
        {
            var descriptor = await DescriptorAsync(signer, await AddressAsync(signer, "bech32"));
            return descriptor["wpkh(".Length..descriptor.IndexOf(')', StringComparison.Ordinal)];
        }
        var descriptor = await regtest.Node.Rpc.CallAsync(
            null, "getdescriptorinfo", [$"wsh(sortedmulti(2,{await KeyAsync(first)},{await KeyAsync(second)}))"], a => a.Get("descriptor").ToText(), Cancel);
        var address = await regtest.Node.Rpc.CallAsync(null, "deriveaddresses", [descriptor], a => a[0].ToText(), Cancel);
        return (address, descriptor, ScriptOf(address));
    }

    private static ByteString ScriptOf(string address) =>
        BitcoinAddress.TryParse(address, BitcoinNetwork.Regtest, out var script, out _) ? new ByteString(script) : throw new InvalidOperationException(address);
}
