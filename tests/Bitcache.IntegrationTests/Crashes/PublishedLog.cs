// The log as somebody follows it who fetches each tile and bundle once, and remembers them: whatever happens to the server,
// what was published stays what it was.

using System.Net.Http.Headers;
using Bitcache.Core.Audit;

namespace Bitcache.IntegrationTests.Crashes;

internal sealed class PublishedLog : IDisposable
{
    private const int LookedAtAgainMax = 16;
    private readonly HttpClient _http = new(new SocketsHttpHandler { PooledConnectionIdleTimeout = TimeSpan.FromSeconds(1) });
    private readonly Dictionary<LogTile, byte[]> _seen = [];

    public PublishedLog(ServerProcess server) => _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", server.OperatorKey);

    /// <summary>The size of the newest checkpoint that was followed.</summary>
    public long Size { get; private set; }

    /// <summary>Looks at the unfinished tiles and some of the others again, and then at what is new.</summary>
    public async Task FollowAsync(ServerProcess server)
    {
        var known = _seen.Keys.ToArray();
        Random.Shared.Shuffle(known);
        foreach (var tile in known.OrderByDescending(tile => tile.IsPartial).Take(LookedAtAgainMax)) Assert.Equal(_seen[tile], await FetchAsync(server, tile.ToString()));

        Assert.True(VerifierKey.TryParse((await _http.GetStringAsync(new Uri(server.Url, "vkey"), ServerProcess.Cancel)).TrimEnd('\n'), out var key));
        var note = await _http.GetStringAsync(new Uri(server.Url, "checkpoint"), ServerProcess.Cancel);
        Assert.True(Checkpoint.TryVerify(note, key, out var checkpoint, out var refusal), refusal);
        foreach (var tile in LogTile.Between(Size, checkpoint.Size))
        {
            _seen[tile] = await FetchAsync(server, tile.ToString());
            if (tile.Level > 0) continue;
            _seen[tile.Bundle] = await FetchAsync(server, tile.Bundle.ToString());
            Assert.True(EntryBundle.TryRead(_seen[tile.Bundle], tile.Width, out var entries));
            Assert.Equal(_seen[tile], HashTile.Write([.. entries.Select(entry => Rfc6962.LeafHash(entry.Span))]));
        }
        Assert.Equal(checkpoint.Root, PublishedTiles.Open(tile => _seen[tile], checkpoint.Size)!.Root());
        Size = checkpoint.Size;
    }

    public void Dispose() => _http.Dispose();

    private Task<byte[]> FetchAsync(ServerProcess server, string path) => _http.GetByteArrayAsync(new Uri(server.Url, path), ServerProcess.Cancel);
}
