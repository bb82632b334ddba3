using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Settlement;

/// <summary>The Ed25519 key that signs checkpoints: 32 bytes in a file that only its owner may read, made at the
/// first start. The fingerprint of the first one is in the genesis entry, and each names the next in an entry of its own,
/// so another key is refused.</summary>
/// <remarks>The next key stands in a file beside the first until the entry that names it is durable; then it takes the
/// first one's name. A start that finds both goes by the ledger.</remarks>
public sealed class CheckpointKey
{
    private const string FileName = "checkpoint.key";
    private const string NextName = "checkpoint.key.next";
    private readonly IFileSystem _files;
    private readonly string _folder;
    private readonly byte[] _seed;
    // Whether it stands under the name of the next one.
    private bool _isNext;

    private CheckpointKey(IFileSystem files, string folder, string origin, byte[] seed)
    {
        (_files, _folder, Origin, _seed) = (files, folder, origin, seed);
        Verifier = First = VerifierKey.FromSeed(origin, seed);
    }

    public string Origin { get; }
    public VerifierKey Verifier { get; }

    /// <summary>The key that the ledger began with, which auditors pin.</summary>
    public VerifierKey First { get; private init; }

    internal ReadOnlySpan<byte> Seed => _seed;

    /// <summary>Of the first key, as the genesis entry has it.</summary>
    public KeyFingerprint Fingerprint => new(KeyPurpose.Checkpoint, Hash256.Read(SHA256.HashData(First.PublicKey)));

    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, FileName));

    /// <summary>Reads the key, or makes it in a ledger that has no genesis entry yet.</summary>
    /// <param name="rotations">The ledger's, oldest first: the last one names the key.</param>
    /// <exception cref="SettingsException">The file is missing, malformed, readable by others, or holds another key.</exception>
    public static CheckpointKey Open(IFileSystem files, string folder, string origin, bool mayCreate, IReadOnlyList<KeyRotation>? rotations = null)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            if (!mayCreate) throw new SettingsException([$"{path} is missing: restore the checkpoint key of this ledger from its backup"]);
            SecretFile.Draw(files, folder, FileName);
        }
        var key = Read(files, folder, FileName, origin);
        if (rotations is not [.., var last]) return key;
        if (!key.Verifier.PublicKey.SequenceEqual(last.New.PublicKey))
        {
            // The process ended between the entry and the change of names.
            key = File.Exists(Path.Combine(folder, NextName)) ? Read(files, folder, NextName, origin) : key;
            if (!key.Verifier.PublicKey.SequenceEqual(last.New.PublicKey))
                throw new SettingsException([$"{path} is not the checkpoint key that this ledger has now, {last.New}: restore that one from its backup"]);
            key._isNext = true;
            key.TakePlace();
        }
        return key.After(rotations[0].Old);
    }

    /// <summary>Draws the next key, which is durable beside this one when this returns. One that was drawn before and never
    /// named is gone then.</summary>
    internal CheckpointKey DrawNext()
    {
        // If a change of names failed, the key in use is the one that would be written over.
        TakePlace();
        SecretFile.Draw(_files, _folder, NextName);
        var next = Read(_files, _folder, NextName, Origin).After(First);
        next._isNext = true;
        return next;
    }

    /// <summary>Takes the name of the key before it, if it does not have it. Only once the ledger names this key.</summary>
    internal void TakePlace()
    {
        if (!_isNext) return;
        _files.Replace(Path.Combine(_folder, NextName), Path.Combine(_folder, FileName));
        _files.SyncFolder(_folder);
        _isNext = false;
    }

    private CheckpointKey After(VerifierKey first) => new(_files, _folder, Origin, _seed) { First = first };

    private static CheckpointKey Read(IFileSystem files, string folder, string name, string origin) =>
        new(files, folder, origin, SecretFile.Read(Path.Combine(folder, name)));
}
