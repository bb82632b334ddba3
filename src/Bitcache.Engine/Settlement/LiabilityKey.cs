using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Settlement;

/// <summary>The key that the liabilities of all epochs are arranged by, and from which each wallet's own key follows. Its
/// fingerprint is in the genesis entry of a ledger that was begun with one.</summary>
public sealed class LiabilityKey
{
    private const string FileName = "liabilities.key";

    private LiabilityKey(byte[] key)
    {
        Seed = new LiabilitySeed(key);
        Fingerprint = new KeyFingerprint(KeyPurpose.Liabilities, Hash256.Read(SHA256.HashData(key)));
    }

    public LiabilitySeed Seed { get; }
    public KeyFingerprint Fingerprint { get; }

    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, FileName));

    /// <summary>Reads the key, or makes it where none was made before.</summary>
    /// <exception cref="SettingsException">The file is missing, malformed, or readable by others.</exception>
    public static LiabilityKey Open(IFileSystem files, string folder, bool mayCreate) =>
        new(SecretFile.Open(files, folder, FileName, "the key of the liabilities", mayCreate));
}
