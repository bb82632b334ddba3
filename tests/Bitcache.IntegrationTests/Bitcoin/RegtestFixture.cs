using Bitcache.Cli.Demo;

namespace Bitcache.IntegrationTests.Bitcoin;

/// <summary>A real node on regtest for the tests of one class, in a folder that goes with it.</summary>
public sealed class RegtestFixture : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bitcache-regtest-");
    private RegtestNode? _node;

    public RegtestNode Node => _node ?? throw new InvalidOperationException("the node is not started");

    public async ValueTask InitializeAsync() => _node = await RegtestNode.StartAsync(_folder.FullName, CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        if (_node is not null) await _node.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
