// Which key signs the log's checkpoints: the one of the genesis entry, until it names another, and so on.

using System.Security.Cryptography;
using Bitcache.Core.Audit;

namespace Bitcache.Core;

public sealed partial class Ledger
{
    private readonly List<RotateKey> _rotations = [];

    /// <summary>Every rotation of the checkpoint key, oldest first.</summary>
    public IReadOnlyList<KeyRotation> KeyRotations => [.. _rotations.Select(ReadRotation)];

    /// <summary>The newest entry that rotated the checkpoint key; null before the first.</summary>
    public long? LastKeyRotation { get; private set; }

    /// <summary>SHA-256 of the public key that signs checkpoints now; null where the genesis entry names none.</summary>
    public Hash256? CheckpointKey => _rotations.Count > 0
        ? FingerprintOf(_rotations[^1].NewKey)
        : Genesis?.Keys.Where(key => key.Purpose == KeyPurpose.Checkpoint).Select(key => (Hash256?)key.Sha256).FirstOrDefault();

    private ApplyResult ApplyRotateKey(RotateKey command, in ApplyContext context, Span<byte> record)
    {
        Assert(partition == 0, "the log has one key, and the first partition keeps it");
        Assert(FingerprintOf(command.OldKey) == CheckpointKey, "the key that signs now names the next one");
        Assert(KeyRotation.Read(Genesis!.Origin, command.OldKey.Span, command.NewKey.Span, command.Signature.Span) is not null, "the key that goes has signed it");
        Assert(!_rotations.Exists(rotation => rotation.OldKey == command.NewKey), "no key comes back");
        if (_rotations.Count == Limits.KeyRotationsMax) return Refused(Outcome.TooManyKeys);

        // After this point the new key signs.
        Remember(command, forEver: false);
        _rotations.Add(command);
        LastKeyRotation = NextSequence;
        return Write(EntryType.KeyRotated, command, context, record).Finish();
    }

    private KeyRotation ReadRotation(RotateKey rotation) =>
        KeyRotation.Read(Genesis!.Origin, rotation.OldKey.Span, rotation.NewKey.Span, rotation.Signature.Span)
            ?? throw new LedgerInvariantException("a rotation of the checkpoint key that was signed is not signed any more");

    private static Hash256 FingerprintOf(ByteString key) => Hash256.Read(SHA256.HashData(key.Span));
}
