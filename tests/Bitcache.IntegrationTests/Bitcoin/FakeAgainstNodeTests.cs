using Bitcache.Tests.Bitcoin.Scripts;

namespace Bitcache.IntegrationTests.Bitcoin;

/// <summary>The simulated node is one that a real node agrees with: the same scripts run on both, and every call is answered
/// in the same way.</summary>
[Trait("suite", "node")]
public sealed class FakeAgainstNodeTests(RegtestFixture regtest) : IClassFixture<RegtestFixture>
{
    public static TheoryData<string> Scripts => [.. NodeScripts.Names];

    [Theory]
    [MemberData(nameof(Scripts))]
    public async Task A_script_reads_the_same_on_the_simulated_node_and_on_a_real_one(string script)
    {
        using var simulated = new FakeStage(seed: 1);
        await NodeScripts.RunAsync(script, simulated);
        var real = await RegtestStage.CreateAsync(regtest.Node, script);
        await NodeScripts.RunAsync(script, real);
        Assert.NotEmpty(real.Trace);
        Assert.Equal(string.Join('\n', real.Trace), string.Join('\n', simulated.Trace));
    }
}
