// What the operator's commands print of a ledger of three partitions, and of one.

using Bitcache.Cli.Commands;
using Bitcache.Core;
using Bitcache.Server.Api;
using Bitcache.Tests.Api;

namespace Bitcache.Tests.Cli;

[Trait("suite", "core")]
public sealed class PartitionCommandTests
{
    [Fact]
    public async Task The_operators_commands_show_what_lies_in_every_partition()
    {
        await using var api = new ApiFixture { Partitions = 3 };
        await api.InitializeAsync();
        var (payer, payee) = (await api.NewWalletInAsync(1, api.Shop, 1_000), await api.NewWalletInAsync(0, api.Shop));
        await api.PostAsync(api.Admin, "/v1/operator/fees", $$"""{"id":"{{ApiFixture.NewId()}}","tenant":"shop","flatMsat":5000}""");
        await api.TransferAsync(api.Shop, ApiFixture.NewId(), payer, payee, 100_000);
        await api.ArriveAsync();
        var withdrawal = ApiFixture.NewId();
        await api.PostAsync(api.Shop, $"/v1/wallets/{payer}/withdrawals", $$"""{"id":"{{withdrawal}}","address":"{{OfflineNode.NewAddress()}}","amountSat":600}""");
        Assert.True(OperationId.TryParse(withdrawal, out var id));
        await api.Engine.Partitions[1].SubmitAsync(new OpenFamily(1, Sats.Zero, null, [new WithdrawalKey(ApiFixture.Parse(payer), id)]));

        var shown = await RunAsync(api, "operator", "show");
        Assert.Contains("in all     0.05 Bits, with its accounts in the other partitions", shown, StringComparison.Ordinal);
        Assert.Matches(@"\non its way +0 Bits\r?\nsum +10 Bits +sum +10 Bits", shown);
        var health = await RunAsync(api, "health");
        Assert.Matches(@"\ncredits between partitions +0\r?\n", health);
        Assert.Contains("\ntransaction family 1 of partition 1: opened, not built", health, StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_one_partition_nothing_is_said_of_partitions()
    {
        await using var api = new ApiFixture();
        await api.InitializeAsync();
        foreach (var output in new[] { await RunAsync(api, "operator", "show"), await RunAsync(api, "health") })
        {
            Assert.DoesNotContain("partition", output, StringComparison.Ordinal);
            Assert.DoesNotContain("on its way", output, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(300, "0.003 Bits", "1 Bits")]
    [InlineData(-300, "-0.003 Bits", "0.994 Bits")]
    public void What_is_on_its_way_is_part_of_the_sum(long inFlight, string shown, string sum)
    {
        var totals = new TotalsReply(99_700, 0, 0, 0, 0, 100_000, 0, 0, 0, 0, InsideMsat: 99_700, FromBitcoinMsat: 99_700 + inFlight, inFlight, true);
        using var output = new StringWriter();
        OperatorCommands.Write(new OperatorReply(WalletReply.Of(default), 0, 1, totals), output);
        Assert.Matches($@"\non its way +{shown}\r?\nsum +{sum} +sum +{sum}\r?\n", output.ToString());
    }

    /// <summary>Without a node health is degraded, which its exit code says.</summary>
    private static async Task<string> RunAsync(ApiFixture api, params string[] args)
    {
        var run = await CommandLineRun.OfAsync([.. args, "--url", api.Address.ToString(), "--key", api.Auditor]);
        Assert.True(run.Error.Length == 0, run.Error);
        return run.Output;
    }
}
