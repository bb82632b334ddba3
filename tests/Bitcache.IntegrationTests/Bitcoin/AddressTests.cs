// Whom a withdrawal may pay is decided without the node, when it is asked for. Here the node says of the same texts
// and amounts what it thinks of them.

using System.Globalization;
using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.IntegrationTests.Bitcoin;

[Trait("suite", "node")]
public sealed class AddressTests(RegtestFixture fixture) : IClassFixture<RegtestFixture>
{
    private const BitcoinNetwork Network = BitcoinNetwork.Regtest;
    // Values that Bitcoin's rules and addresses turn on.
    private static readonly int[] ProgramBytes = [1, 2, 20, 31, 32, 33, 40];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_accepted_the_node_takes_and_what_is_refused_it_does_not_but_for_witness_versions_without_rules()
    {
        var (accepted, unsupported, refused) = (0, 0, 0);
        foreach (var text in Texts().Distinct())
        {
            var (isValid, script) = await AskAsync(text);
            var isAccepted = BitcoinAddress.TryParse(text, Network, out var ours, out var refusal);
            if (isAccepted)
            {
                Assert.True(isValid, text);
                Assert.Equal(script, Convert.ToHexStringLower(ours));
                Assert.Equal(text, BitcoinAddress.FromScript(ours, Network), ignoreCase: true);
                accepted++;
            }
            else if (refusal == AddressRefusal.UnsupportedWitnessVersion)
            {
                // The node would pay them; anybody could take it.
                Assert.True(isValid, text);
                Assert.False(script[..2] is "00" || (script.StartsWith("5120", StringComparison.Ordinal) && script.Length == 68), text);
                unsupported++;
            }
            else
            {
                // The node passes over spaces around the older kind; here a text is the address or it is not.
                Assert.True(!isValid || text[0] == ' ', $"{text}: {refusal}");
                refused++;
            }
        }
        Assert.True(accepted >= 18 && unsupported >= 150 && refused >= 300, $"{accepted} accepted, {unsupported} unsupported, {refused} refused");
    }

    [Fact]
    public async Task What_is_dust_the_node_does_not_build_and_what_is_just_more_it_does()
    {
        await fixture.Node.PayAsync(await fixture.Node.Node.GetNewAddressAsync(Cancel), new Sats(100_000), Cancel);
        await fixture.Node.MineAsync(1, Cancel);
        foreach (var address in Good(Network))
        {
            Assert.True(BitcoinAddress.TryParse(address, Network, out var script, out _));
            var least = Dust.Threshold(new ByteString(script));
            await BuildAsync(address, least);
            var refusal = await Assert.ThrowsAsync<NodeException>(() => BuildAsync(address, least - new Sats(1)));
            Assert.Contains("too small", refusal.Message, StringComparison.Ordinal);
        }
    }

    private async Task BuildAsync(string address, Sats amount)
    {
        await fixture.Node.Node.UnlockAllAsync(Cancel);
        await fixture.Node.Node.WalletCreateFundedPsbtAsync([], [new PayOutput(address, amount)], new FeeRate(2_000), Cancel);
    }

    private Task<(bool IsValid, string Script)> AskAsync(string text) => fixture.Node.Rpc.CallAsync(
        null, "validateaddress", [text],
        answer => answer.GetProperty("isvalid").GetBoolean() ? (true, answer.GetProperty("scriptPubKey").GetString()!) : (false, ""), Cancel);

    /// <summary>Every kind of address of every network, each as it is and spoiled in several ways, and what looks like one.</summary>
    private static IEnumerable<string> Texts()
    {
        foreach (var network in BitcoinNetworks.All)
        {
            foreach (var address in Good(network).Concat(Witness(network)))
            {
                yield return address;
                foreach (var spoiled in Spoil(address)) yield return spoiled;
            }
        }
        foreach (var other in new[]
        {
            "", " ", "1", "bcrt1", "bcrt1q", "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "3P14159f73E4gFr7JterCCQh9QjiTjiZrG",
            // The checksum of the other encoding, and a version above 16.
            "bcrt1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7k0ylj56",
        }) yield return other;
    }

    private static string[] Good(BitcoinNetwork network) =>
    [
        BitcoinAddress.FromScript([0, 20, .. RandomNumberGenerator.GetBytes(20)], network)!,
        BitcoinAddress.FromScript([0, 32, .. RandomNumberGenerator.GetBytes(32)], network)!,
        BitcoinAddress.FromScript([0x51, 32, .. RandomNumberGenerator.GetBytes(32)], network)!,
        BitcoinAddress.FromScript([0x76, 0xa9, 20, .. RandomNumberGenerator.GetBytes(20), 0x88, 0xac], network)!,
        BitcoinAddress.FromScript([0xa9, 20, .. RandomNumberGenerator.GetBytes(20), 0x87], network)!,
    ];

    /// <summary>Programs of every witness version, of lengths that have rules and of others.</summary>
    private static IEnumerable<string> Witness(BitcoinNetwork network) =>
        Enumerable.Range(0, 17).SelectMany(version => ProgramBytes.Select(length => Bech32m.EncodeSegwit(network.Hrp(), version, RandomNumberGenerator.GetBytes(length))));

    private static IEnumerable<string> Spoil(string address)
    {
        var last = address[^1];
        yield return address[..^1] + (last == 'q' ? 'p' : 'q');
        yield return address[..^1];
        yield return address + last;
        yield return ' ' + address;
        yield return address.ToUpper(CultureInfo.InvariantCulture);
        yield return char.ToUpper(address[0], CultureInfo.InvariantCulture) + address[1..];
    }
}
