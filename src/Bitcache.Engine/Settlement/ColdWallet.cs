// The coins that are kept elsewhere, as declared by their descriptors: a wallet of the node without keys watches them. Its name
// tells which descriptors it watches, so that other settings use another wallet and nothing that was once declared counts.

using System.Security.Cryptography;
using System.Text;
using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Engine.Settlement;

/// <param name="Coins">Confirmed and not spent; zero while it cannot be told.</param>
/// <param name="Trouble">Why they are not counted, in a sentence; null when they are.</param>
public readonly record struct ColdFound(Sats Coins, string? Trouble);

/// <summary>Asks the node for the cold coins. Owned by the settlement loop.</summary>
public sealed class ColdWallet(IBitcoinNode node, EngineSettings settings)
{
    private const int NameDigits = 8;

    private readonly string _watch = NameOf(settings.ColdDescriptors);
    // Whether the node's wallet was seen to watch what is declared, since anything last went wrong.
    private bool _isReady;

    /// <summary>What was seen of one node is not true of another.</summary>
    public void LookAnew() => _isReady = false;

    public bool IsDeclared => settings.ColdDescriptors.Count > 0;

    /// <summary>The declared coins. Whatever keeps them from being counted leaves none of them, and is said.</summary>
    public async Task<ColdFound> AskAsync(CancellationToken cancel)
    {
        if (!IsDeclared) return new ColdFound(Sats.Zero, null);
        try
        {
            if (!_isReady && await PrepareAsync(cancel) is { } trouble) return new ColdFound(Sats.Zero, trouble);
            _isReady = true;
            var info = await node.GetWatchWalletInfoAsync(_watch, cancel);
            return info.Scanning
                ? new ColdFound(Sats.Zero, Scans(info))
                : new ColdFound(await node.GetWatchedBalanceAsync(_watch, cancel), null);
        }
        catch (NodeException e)
        {
            _isReady = false;
            return new ColdFound(Sats.Zero, e.Message);
        }
    }

    /// <summary>The declared coins one by one, those in blocks; none while they cannot be told.</summary>
    /// <exception cref="NodeException">The node's.</exception>
    public async Task<IReadOnlyList<Coin>> ListAsync(CancellationToken cancel) =>
        (await AskAsync(cancel)) is { Trouble: null } && IsDeclared ? await node.ListWatchedUnspentAsync(_watch, 1, cancel) : [];

    /// <summary>What a cold signer wants to know of its keys, written into a PSBT; as it was where none are declared, or the node does
    /// not watch them now.</summary>
    /// <exception cref="NodeException">The node's, where it cannot be asked.</exception>
    public async Task<string> DescribeAsync(string psbt, CancellationToken cancel)
    {
        if (!IsDeclared) return psbt;
        try
        {
            return await node.DescribeWatchedPsbtAsync(_watch, psbt, cancel);
        }
        catch (NodeException e) when (e.Failure == NodeFailure.Rejected)
        {
            return psbt;
        }
    }

    /// <summary>Has the node watch what is declared, if it does not yet; says what is in the way.</summary>
    private async Task<string?> PrepareAsync(CancellationToken cancel)
    {
        if (!await node.LoadWatchWalletAsync(_watch, cancel)) await node.CreateWatchWalletAsync(_watch, cancel);
        var info = await node.GetWatchWalletInfoAsync(_watch, cancel);
        if (info.PrivateKeys) return $"the node's wallet '{info.Name}' can hold private keys: it is not the one that Bitcache makes to watch cold coins";
        if (info.Scanning) return Scans(info);
        var hot = (await node.ListDescriptorsAsync(cancel)).Select(d => Canonical(d.Text)).ToHashSet();
        if (settings.ColdDescriptors.FirstOrDefault(d => hot.Contains(Canonical(d))) is { } both)
            return $"the hot wallet has {both} itself: its coins would count twice";
        var watched = await WatchedAsync(cancel);
        if (!watched.IsSubsetOf(settings.ColdDescriptors.Select(Canonical))) return $"the node's wallet '{info.Name}' watches more than coldDescriptors says";
        var missing = settings.ColdDescriptors.Where(d => !watched.Contains(Canonical(d))).ToArray();
        if (missing.Length == 0) return null;
        var refusals = await node.WatchAsync(_watch, missing, settings.ColdSince, cancel);
        var refused = missing.Zip(refusals).FirstOrDefault(r => r.Second is not null);
        if (refused.Second is not null) return $"the node does not watch {refused.First}: {refused.Second}";
        // Found now, and not at the next start, where it would be taken for something that nobody declared.
        watched = await WatchedAsync(cancel);
        return Array.Find(missing, d => !watched.Contains(Canonical(d))) is not { } other ? null
            : $"the node writes {other} otherwise: declare it as `listdescriptors` of its wallet '{info.Name}' does";
    }

    private async Task<HashSet<string>> WatchedAsync(CancellationToken cancel) => [.. (await node.ListWatchedAsync(_watch, cancel)).Select(Canonical)];

    private static string Scans(WalletInfo info) => $"the node's wallet '{info.Name}' scans the chain for cold coins";

    /// <summary>The same for all the ways in which one may be written.</summary>
    internal static string Canonical(string descriptor) => descriptor.Split('#')[0].Replace('\'', 'h');

    private static string NameOf(IReadOnlyList<string> descriptors)
    {
        var text = string.Join('\n', descriptors.Select(Canonical).Order(StringComparer.Ordinal));
        return "cold-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..NameDigits];
    }
}
