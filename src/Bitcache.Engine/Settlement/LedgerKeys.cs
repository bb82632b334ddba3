using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Settlement;

/// <summary>The keys that a process settles with. Its machine has them in files; which ones they must be, the ledger says.</summary>
/// <param name="Checkpoint">Signs checkpoints.</param>
/// <param name="Liabilities">Arranges the trees of what is owed.</param>
internal sealed record LedgerKeys(CheckpointKey Checkpoint, LiabilityKey Liabilities)
{
    /// <summary>Their SHA-256, as the genesis entry has them.</summary>
    public KeyFingerprint[] Fingerprints => [Checkpoint.Fingerprint, Liabilities.Fingerprint];

    public static string FolderIn(string dataFolder) => Path.Combine(dataFolder, "keys");

    /// <summary>Whether there are such keys, whosever they are.</summary>
    public static bool AreIn(string folder) => CheckpointKey.IsIn(folder) && LiabilityKey.IsIn(folder);

    /// <summary>Reads the keys, or makes them where no ledger was begun.</summary>
    /// <param name="genesis">The ledger's; null before it is begun.</param>
    /// <param name="rotations">The ledger's, oldest first.</param>
    /// <exception cref="SettingsException">They are not there, or are not those of this ledger.</exception>
    public static LedgerKeys Open(IFileSystem files, string folder, EngineSettings settings, Genesis? genesis, IReadOnlyList<KeyRotation> rotations)
    {
        var checkpoint = CheckpointKey.Open(files, folder, settings.Origin, mayCreate: genesis is null, rotations);
        // Ledgers of before have no fingerprint of this one, and make it when they first need it.
        var liabilities = LiabilityKey.Open(files, folder, mayCreate: genesis is null || genesis.Keys.All(k => k.Purpose != KeyPurpose.Liabilities));
        var keys = new LedgerKeys(checkpoint, liabilities);
        if (genesis is not null) keys.Check(settings, genesis);
        return keys;
    }

    private void Check(EngineSettings settings, Genesis genesis)
    {
        var problems = new List<string>();
        if (genesis.Origin != settings.Origin)
            problems.Add($"the ledger in {settings.DataFolder} is '{genesis.Origin}', the settings say origin '{settings.Origin}'");
        if (genesis.Network != (byte)settings.Network)
            problems.Add($"the ledger in {settings.DataFolder} is on {(BitcoinNetwork)genesis.Network}, the settings say network {settings.Network}");
        if (!genesis.Keys.Contains(Checkpoint.Fingerprint))
            problems.Add("the checkpoint key is not the one that this ledger began with: restore that one from its backup");
        if (genesis.Keys.Any(k => k.Purpose == KeyPurpose.Liabilities && k != Liabilities.Fingerprint))
            problems.Add("the key of the liabilities is not the one that this ledger began with: restore that one from its backup");
        if (problems.Count > 0) throw new SettingsException(problems);
    }
}
