using System.Security.Cryptography;
using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Settlement;

/// <summary>The Ed25519 key that signs checkpoints: 32 bytes in a file that only its owner may read, made at the
/// first start. Its fingerprint is in the genesis entry, so another key is refused.</summary>
public sealed class CheckpointKey
{
    private const string FileName = "checkpoint.key";
    private readonly byte[] _seed;

    private CheckpointKey(string origin, byte[] seed)
    {
        (Origin, _seed) = (origin, seed);
        Verifier = VerifierKey.FromSeed(origin, seed);
    }

    public string Origin { get; }
    public VerifierKey Verifier { get; }
    internal ReadOnlySpan<byte> Seed => _seed;

    public KeyFingerprint Fingerprint => new(KeyPurpose.Checkpoint, Hash256.Read(SHA256.HashData(Verifier.PublicKey)));

    /// <summary>Reads the key, or makes it in a ledger that has no genesis entry yet.</summary>
    /// <exception cref="SettingsException">The file is missing, malformed, or readable by others.</exception>
    public static CheckpointKey Open(IFileSystem files, string folder, string origin, bool mayCreate)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            if (!mayCreate) throw new SettingsException([$"{path} is missing: restore the checkpoint key of this ledger from its backup"]);
            WholeFile.Write(files, folder, FileName, Encoding.ASCII.GetBytes(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(Ed25519.SeedBytes)) + "\n"));
        }
        if ((File.GetUnixFileMode(path) & (UnixFileMode.GroupRead | UnixFileMode.OtherRead)) != 0)
            throw new SettingsException([$"{path} can be read by others: chmod 600 it"]);
        var text = File.ReadAllText(path).TrimEnd('\n');
        var seed = new byte[Ed25519.SeedBytes];
        if (text.Length != 2 * Ed25519.SeedBytes || Convert.FromHexString(text, seed, out _, out _) != System.Buffers.OperationStatus.Done)
            throw new SettingsException([$"{path} does not hold {Ed25519.SeedBytes} bytes in hex: restore it from its backup"]);
        return new CheckpointKey(origin, seed);
    }
}
