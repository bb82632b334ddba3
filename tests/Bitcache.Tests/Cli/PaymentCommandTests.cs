// The commands that pay, hold and bound payments, against a running server: what they print, and that the receipts of
// what they did verify.

using System.Text.Json;
using System.Text.RegularExpressions;
using Bitcache.Cli;
using Bitcache.Core;
using Bitcache.Engine.Partitions;
using Bitcache.Tests.Api;

namespace Bitcache.Tests.Cli;

[Trait("suite", "core")]
[Collection("api")]
public sealed class PaymentCommandTests(ApiFixture api) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private async Task<string> RunAsync(string key, params string[] args)
    {
        var run = await CommandLineRun.OfAsync([.. args, "--url", api.Address.ToString(), "--key", key]);
        Assert.True(run.ExitCode == 0, $"{string.Join(' ', args)}: {run.Error}");
        return run.Output;
    }

    [Fact]
    public async Task What_is_in_suspense_is_shown_assigned_and_seen_in_a_history()
    {
        var (of, to) = (await api.NewWalletAsync(api.Shop), await api.NewWalletAsync(api.Other));
        var output = await api.NewSuspenseAsync(api.Shop, of, 321);
        var listed = (await JsonAsync(api.Admin, "suspense", "--limit", "1")).GetProperty("items")[0];
        Assert.Equal((output, of, 321), (listed.GetProperty("output").GetString(), listed.GetProperty("wallet").GetString(), listed.GetProperty("amountSat").GetInt64()));
        var line = (await RunAsync(api.Admin, "suspense", "--limit", "1")).Split('\n')[1];
        foreach (var word in new[] { output, "321 sat", "final", of }) Assert.Contains(word, line, StringComparison.Ordinal);

        var assigned = await RunAsync(api.Admin, "suspense-assign", output, to);
        Assert.StartsWith($"321 sat of {output} to {to}", assigned, StringComparison.Ordinal);
        Assert.Equal(assigned, await RunAsync(api.Admin, "suspense-assign", output, to, "--id", IdIn(assigned)));
        Assert.Contains("suspense_assigned", await RunAsync(api.Other, "history", to), StringComparison.Ordinal);
        var refused = await CommandLineRun.OfAsync("suspense-assign", output, of, "--url", api.Address.ToString(), "--key", api.Admin);
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("suspense_not_found", refused.Error, StringComparison.Ordinal);
        var malformed = await CommandLineRun.OfAsync("suspense-assign", "nonsense", of, "--url", api.Address.ToString(), "--key", api.Admin);
        Assert.Contains("is no output", malformed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_frozen_is_shown_and_settled_with_a_reason()
    {
        var wallet = await api.NewWalletAsync(api.Shop);
        var outputs = new[] { await api.NewFrozenAsync(api.Shop, wallet, 450), await api.NewFrozenAsync(api.Shop, wallet, 451) };
        var listed = (await JsonAsync(api.Admin, "frozen", "--limit", "1")).GetProperty("items")[0];
        Assert.Equal((outputs[1], wallet, 451, 451_000), (listed.GetProperty("output").GetString(), listed.GetProperty("wallet").GetString(), listed.GetProperty("amountSat").GetInt64(), listed.GetProperty("frozenMsat").GetInt64()));
        var line = (await RunAsync(api.Admin, "frozen", "--limit", "1")).Split('\n')[1];
        foreach (var word in new[] { outputs[1], "451 sat", wallet }) Assert.Contains(word, line, StringComparison.Ordinal);

        var released = await RunAsync(api.Admin, "frozen-release", outputs[0], "--reason", "ticket 7");
        Assert.StartsWith($"{outputs[0]} is final, 450 sat of a wallet's: ticket 7", released, StringComparison.Ordinal);
        Assert.Equal(released, await RunAsync(api.Admin, "frozen-release", outputs[0], "--reason", "ticket 7", "--id", IdIn(released)));
        var reversed = await JsonAsync(api.Admin, "frozen-reverse", outputs[1], "--reason", "double spent");
        Assert.Equal(("reversed", "double spent"), (reversed.GetProperty("state").GetString(), reversed.GetProperty("reason").GetString()));
        Assert.Contains("deposit_settled_reversed", await RunAsync(api.Shop, "history", wallet), StringComparison.Ordinal);
        var refused = await CommandLineRun.OfAsync("frozen-reverse", outputs[0], "--reason", "x", "--url", api.Address.ToString(), "--key", api.Admin);
        Assert.Contains("frozen_not_found", refused.Error, StringComparison.Ordinal);
        var without = await CommandLineRun.OfAsync("frozen-reverse", outputs[0], "--url", api.Address.ToString(), "--key", api.Admin);
        Assert.Contains("--reason", without.Error, StringComparison.Ordinal);
    }

    private async Task<JsonElement> JsonAsync(string key, params string[] args) => JsonElement.Parse(await RunAsync(key, [.. args, "--json"]));

    [Fact]
    public async Task Payments_of_every_kind_are_made_shown_and_proven()
    {
        var (payer, payee, third) = (await api.NewWalletAsync(api.Shop, 10), await api.NewWalletAsync(api.Other), await api.NewWalletAsync(api.Shop));
        var paid = (await JsonAsync(api.Shop, "pay", payer, payee, "2sat", "--reference", "song 7")).GetProperty("id").GetString()!;
        var placed = await JsonAsync(api.Shop, "hold", "place", payer, payee, "3sat", "--for", "15m");
        var hold = placed.GetProperty("id").GetString()!;
        Assert.Contains(hold, await RunAsync(api.Other, "hold", "list", payee), StringComparison.Ordinal);
        Assert.Contains("paid 0.01 Bits to " + payee, await RunAsync(api.Other, "hold", "capture", payer, payee, hold, "1sat"), StringComparison.Ordinal);
        Assert.Contains("left       0.02 Bits", await RunAsync(api.Shop, "hold", "show", payer, hold), StringComparison.Ordinal);
        var capture = await RunAsync(api.Shop, "hold", "capture", payer, payee, hold, "500msat", "--close");
        Assert.Contains("0.015 Bits went back to the payer", capture, StringComparison.Ordinal);
        Assert.StartsWith("closed: 0.03 Bits", await RunAsync(api.Other, "hold", "show", payer, hold), StringComparison.Ordinal);
        var second = (await JsonAsync(api.Shop, "hold", "place", payer, payee, "1sat")).GetProperty("id").GetString()!;
        var released = await RunAsync(api.Other, "hold", "release", payer, payee, second);
        Assert.Contains("gave 0.01 Bits back to " + payer, released, StringComparison.Ordinal);
        var refund = await RunAsync(api.Other, "refund", payee, payer, paid, "1sat");
        Assert.Contains("paid 0.01 Bits back to " + payer, refund, StringComparison.Ordinal);
        var split = await RunAsync(api.Shop, "split", payer, payee + "=1sat", third + "=2sat", "--reference", "parts");
        Assert.Contains($"paid 0.02 Bits to {third}", split, StringComparison.Ordinal);
        var rest = await RunAsync(api.Shop, "pay", payer, payee, "1BTC", "--up-to");
        Assert.Contains("0 Bits are left", rest, StringComparison.Ordinal);

        await api.Engine.SettleAsync(TestContext.Current.CancellationToken);
        foreach (var (key, id, wallet, part, words) in new[]
        {
            (api.Shop, paid, payer, "", $"{payer} paid 0.02 Bits to {payee}, id {paid}, code 0, reference 'song 7'"),
            (api.Shop, hold, payer, "", $"{payer} set 0.03 Bits aside for {payee} until {placed.GetProperty("expires").GetString()}"),
            (api.Shop, IdIn(capture), payer, "", $"{payer} paid 0.005 Bits to {payee} out of hold {hold}, 0.015 Bits went back"),
            (api.Shop, IdIn(released), payer, "", $"{payee} gave 0.01 Bits of hold {second} back to {payer}"),
            (api.Other, IdIn(refund), payee, "", $"{payee} paid 0.01 Bits of payment {paid} ("),
            (api.Shop, IdIn(split), payer, "1", $"{payer} paid 0.02 Bits to {third} as a part of a split, id {IdIn(split)}, code 0, reference 'parts'"),
        })
        {
            string[] which = part.Length == 0 ? [] : ["--part", part];
            var leaf = (await RunAsync(key, ["receipt", id, "--wallet", wallet, "--out", _folder.Path, .. which])).Split('\n')[0];
            var verified = await CommandLineRun.OfAsync("verify", leaf);
            Assert.Equal(0, verified.ExitCode);
            Assert.Contains(words, verified.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_hold_that_is_placed_again_with_its_id_is_the_same_hold()
    {
        var (payer, payee, id) = (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Shop), ApiFixture.NewId());
        var first = await RunAsync(api.Shop, "hold", "place", payer, payee, "1msat", "--for", "1h", "--id", id);
        Assert.Equal(first, await RunAsync(api.Shop, "hold", "place", payer, payee, "1msat", "--for", "1h", "--id", id));
    }

    [Fact]
    public async Task A_withdrawal_is_quoted_and_asked_for_on_terms()
    {
        var (wallet, address) = (await api.NewWalletAsync(api.Shop, 10_000), OfflineNode.NewAddress());
        var quote = await RunAsync(api.Shop, "quote-withdrawal", wallet, address, "4000sat");
        Assert.Contains($"4000 sat to {address}: at most 0 sat for mining", quote, StringComparison.Ordinal);
        Assert.Contains("\"amountSat\":10000,\"feeSat\":0", await RunAsync(api.Shop, "quote-withdrawal", wallet, address, "max", "--json"), StringComparison.Ordinal);
        var asked = await RunAsync(api.Shop, "withdraw", wallet, address, "4000sat", "--fee-max", "9sat", "--deadline", RouteTarget.InAnHour());
        Assert.Contains("goes back if it is not on its way by", asked, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Many_addresses_are_printed_one_a_line()
    {
        var (wallet, id) = (await api.NewWalletAsync(api.Shop), ApiFixture.NewId());
        var many = await RunAsync(api.Shop, "address", wallet, "--count", "12", "--id", id);
        Assert.Equal(12, many.Split('\n', StringSplitOptions.RemoveEmptyEntries).Distinct().Count());
        Assert.Equal(many, await RunAsync(api.Shop, "address", wallet, "--count", "12", "--id", id));
        Assert.Equal(12, (await JsonAsync(api.Shop, "address", wallet, "--count", "12")).GetProperty("addresses").GetArrayLength());
        Assert.Single((await RunAsync(api.Shop, "address", wallet)).Split('\n', StringSplitOptions.RemoveEmptyEntries));
        foreach (var count in new[] { "0", "1001", "x" })
            Assert.Equal(ExitCode.Usage, (await CommandLineRun.OfAsync(["address", wallet, "--count", count, "--url", api.Address.ToString(), "--key", api.Shop])).ExitCode);
    }

    [Fact]
    public async Task A_rescan_names_its_first_block()
    {
        Assert.StartsWith("the node's wallet is rescanned from block ", await RunAsync(api.Admin, "rescan", "--from-height", "7"), StringComparison.Ordinal);
        Assert.InRange((await JsonAsync(api.Admin, "rescan", "--from-height", "7")).GetProperty("fromHeight").GetInt64(), 0, 7);
        Assert.Equal(ExitCode.Usage, (await CommandLineRun.OfAsync(["rescan"])).ExitCode);
    }

    [Fact]
    public async Task A_withdrawal_is_asked_for_and_taken_back()
    {
        var (wallet, id) = (await api.NewWalletAsync(api.Shop, 10_000), ApiFixture.NewId());
        Assert.Contains("queued", await RunAsync(api.Shop, "withdraw", wallet, OfflineNode.NewAddress(), "4000sat", "--id", id), StringComparison.Ordinal);
        var cancelled = await RunAsync(api.Shop, "cancel-withdrawal", wallet, id);
        Assert.Matches($"^4000 sat to .*: cancelled\nid {id}, ", cancelled);
        Assert.Equal(cancelled, await RunAsync(api.Shop, "cancel-withdrawal", wallet, id));
        Assert.Contains("cancelled", await RunAsync(api.Shop, "withdrawals", wallet), StringComparison.Ordinal);
        Assert.Contains("withdrawal_cancelled", await RunAsync(api.Shop, "history", wallet), StringComparison.Ordinal);
    }

    /// <summary>No request can bring such a reference into a ledger, but a journal may hold one.</summary>
    [Fact]
    public async Task A_reference_is_printed_as_plain_text()
    {
        var (payer, payee) = (await api.NewWalletAsync(api.Shop, 1), await api.NewWalletAsync(api.Shop));
        var hold = new PlaceHold(
            ClientIds.Next(TimeProvider.System), ApiFixture.Parse(payer), ApiFixture.Parse(payee), new Msat(1), 0, ByteString.FromUtf8("a\u001b[2J\u202eb"),
            new UnixTime(TimeProvider.System.GetUtcNow().AddHours(1).ToUnixTimeMilliseconds()));
        var home = api.Engine.Partitions.HomeOf(hold.Payer);
        var tenant = (await home.QueryAsync(ledger => ledger.FindWallet(hold.Payer)))!.Value.Tenant;
        Assert.Equal(Outcome.Accepted, (await home.SubmitAsync(hold, tenant)).Outcome);
        Assert.Contains("a\ufffd[2J\ufffdb", await RunAsync(api.Shop, "history", payer), StringComparison.Ordinal);
        Assert.Contains("reference 'a\ufffd[2J\ufffdb'", await RunAsync(api.Shop, "hold", "show", payer, hold.Id.ToString()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Wallets_are_frozen_and_limited_and_fees_are_set()
    {
        var wallet = await api.NewWalletAsync(api.Shop, 1);
        Assert.Contains("frozen by the owner", await RunAsync(api.Shop, "wallet", "freeze", wallet), StringComparison.Ordinal);
        Assert.Contains("frozen by the owner and the operator", await RunAsync(api.Admin, "wallet", "freeze", wallet), StringComparison.Ordinal);
        Assert.Contains("frozen by the owner and the operator", await RunAsync(api.Shop, "balance", wallet), StringComparison.Ordinal);
        Assert.Contains("frozen by the operator", await RunAsync(api.Shop, "wallet", "unfreeze", wallet), StringComparison.Ordinal);
        Assert.StartsWith("not frozen", await RunAsync(api.Admin, "wallet", "unfreeze", wallet), StringComparison.Ordinal);

        Assert.Contains("per day     0.05 Bits", await RunAsync(api.Shop, "wallet", "limits", wallet, "--per-day", "5sat"), StringComparison.Ordinal);
        Assert.Equal(5_000, (await JsonAsync(api.Shop, "wallet", "limits", wallet)).GetProperty("perDayMsat").GetInt64());
        Assert.DoesNotContain("Bits", await RunAsync(api.Shop, "wallet", "limits", wallet, "--none"), StringComparison.Ordinal);

        api.Key("fees", Server.Keys.Scopes.Read);
        Assert.Matches(@"fees\s+0.00002 Bits\s+2500\s+0 Bits", await RunAsync(api.Admin, "fees", "set", "fees", "--flat", "2msat", "--ppm", "2500"));
        Assert.Matches(@"fees\s+0.00002 Bits\s+2500", await RunAsync(api.Admin, "fees", "show"));
    }

    private static string IdIn(string output) => Regex.Match(output, "^id ([0-9a-f-]{36})", RegexOptions.Multiline).Groups[1].Value;
}
