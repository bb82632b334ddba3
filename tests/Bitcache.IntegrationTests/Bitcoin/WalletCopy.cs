using Bitcache.Cli.Demo;

namespace Bitcache.IntegrationTests.Bitcoin;

/// <summary>A backup of one of a node's wallets, in the node's own folder.</summary>
internal sealed class WalletCopy
{
    private readonly RegtestNode _node;
    private readonly string _wallet;
    private readonly string _file;

    private WalletCopy(RegtestNode node, string wallet, string file) => (_node, _wallet, _file) = (node, wallet, file);

    public static async Task<WalletCopy> TakeAsync(RegtestNode node, string wallet, CancellationToken cancel)
    {
        var file = Path.Combine(node.Folder, $"{wallet}-{Path.GetRandomFileName()}.backup");
        await node.Rpc.CallAsync(wallet, "backupwallet", [file], cancel);
        return new WalletCopy(node, wallet, file);
    }

    /// <summary>As an operator does it: the wallet is unloaded, its folder goes, and the copy takes its place.</summary>
    public async Task RestoreAsync(CancellationToken cancel)
    {
        await _node.Rpc.CallAsync(null, "unloadwallet", [_wallet, false], cancel);
        Directory.Delete(Path.Combine(_node.Folder, "regtest", "wallets", _wallet), recursive: true);
        await _node.Rpc.CallAsync(null, "restorewallet", [_wallet, _file, true], cancel);
    }
}
