// Where the header of a block comes from: it is the one thing that a verification believes somebody else.

using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Cli.Verify;

/// <summary>Gives the header of a block at a height; throws <see cref="CommandFailedException"/> where it has none.</summary>
internal delegate Task<HeaderAtHeight> HeaderSource(int height, CancellationToken cancel);

internal static class HeaderSources
{
    private const int HeadersFileBytesMax = 256 << 20;
    public static readonly string HeaderForm = $"a block header is {BlockHeader.Bytes} bytes in hex, {2 * BlockHeader.Bytes} characters";
    private static readonly TimeSpan NodeTimeout = TimeSpan.FromSeconds(30);

    /// <summary>One header, said to be at a height.</summary>
    public static HeaderSource Given(byte[] header, int height) =>
        (_, _) => Task.FromResult(new HeaderAtHeight(header, height));

    /// <summary>A file of one JSON object: heights and headers of 80 bytes in hex.</summary>
    public static HeaderSource FromFile(string path) => async (height, cancel) =>
    {
        try
        {
            if (new FileInfo(path).Length > HeadersFileBytesMax) throw new CommandFailedException($"{path} is too large");
            using var headers = JsonDocument.Parse(await File.ReadAllBytesAsync(path, cancel));
            if (!headers.RootElement.TryGetProperty(height.ToString(CultureInfo.InvariantCulture), out var header))
                throw new CommandFailedException($"{path} has no header of block {height}");
            return TryParseHeader(header.GetString() ?? "", out var bytes)
                ? new HeaderAtHeight(bytes, height)
                : throw new CommandFailedException($"block {height} in {path}: {HeaderForm}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException)
        {
            throw new CommandFailedException($"{path} cannot be used: {e.Message}");
        }
    };

    /// <summary>A node that the auditor trusts. Its chain must be the one that the pins name.</summary>
    public static HeaderSource FromNode(Uri url, RpcCredentials credentials, BitcoinNetwork? network) => async (height, cancel) =>
    {
        using var rpc = new BitcoinRpc(new BitcoinRpcOptions(url, credentials, NodeTimeout));
        var node = new BitcoinRpcNode(rpc, wallet: "");
        try
        {
            var chain = (await node.GetBlockchainInfoAsync(cancel)).Chain;
            if (network is { } wanted && chain != wanted.ChainName())
                throw new CommandFailedException($"the node is on {chain}, the log's anchors are on {wanted.ChainName()}");
            var header = await node.GetBlockHashAsync(height, cancel) is { } block ? await node.GetBlockHeaderAsync(block, cancel) : null;
            return new HeaderAtHeight(header ?? throw new CommandFailedException($"the node has no block {height} in its best chain"), height);
        }
        catch (NodeException e)
        {
            throw new CommandFailedException($"the node cannot be asked for block {height}: {e.Message}");
        }
    };

    public static bool TryParseHeader(string hex, out byte[] header)
    {
        header = new byte[BlockHeader.Bytes];
        return hex.Length == 2 * BlockHeader.Bytes && Convert.FromHexString(hex, header, out _, out _) == OperationStatus.Done;
    }
}
