using System.Security.Cryptography;
using System.Text;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit;

/// <summary>How a log's key is followed from the pinned one: by each key's word on the next.</summary>
[Trait("suite", "core")]
public sealed class KeyRotationTests
{
    private const string Origin = "ledger.example/bits";
    private static readonly byte[][] Seeds = [.. Enumerable.Range(0, 4).Select(i => SHA256.HashData([(byte)i, 99]))];
    private static readonly VerifierKey[] Keys = [.. Seeds.Select(seed => VerifierKey.FromSeed(Origin, seed))];
    private static readonly KeyRotation[] Rotations = [.. Enumerable.Range(0, 3).Select(i => KeyRotation.Sign(Seeds[i], Keys[i + 1]))];
    private static readonly string Notes = string.Concat(Rotations.Select(rotation => rotation.Note));

    /// <summary>The form is for good: a note of it is in the world.</summary>
    [Fact]
    public void A_rotation_has_the_bytes_of_the_format()
    {
        var text = $"bitcache/checkpoint-key/v1\n{Origin}\n{Keys[1]}\n";
        Assert.StartsWith($"{text}\n\u2014 {Origin} ", Rotations[0].Note, StringComparison.Ordinal);
        Assert.True(Ed25519.Verify(Keys[0].PublicKey, Encoding.UTF8.GetBytes(text), Rotations[0].Signature));
        Assert.Equal(
            "66c6ce283083835e18e1130f3c8f0d8d1c6a3860", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Notes)))[..40]);
    }

    [Fact]
    public void The_keys_are_followed_one_after_the_other()
    {
        Assert.True(KeyRotation.TryFollow(Notes, Keys[0], out var keys, out var refusal), refusal);
        Assert.Equal(Keys.Select(key => key.ToString()), keys.Select(key => key.ToString()));
        Assert.True(KeyRotation.TryFollow("", Keys[0], out keys, out _));
        Assert.Equal(Keys[0].ToString(), Assert.Single(keys).ToString());
        foreach (var rotation in Rotations)
        {
            var read = KeyRotation.Read(Origin, rotation.Old.PublicKey, rotation.New.PublicKey, rotation.Signature);
            Assert.Equal(rotation.Note, read?.Note);
        }
    }

    [Fact]
    public void No_character_of_a_rotation_can_change()
    {
        for (var i = 0; i < Notes.Length; i++)
        {
            foreach (var bit in (int[])[0, 3, 6])
            {
                var altered = Notes.ToCharArray();
                altered[i] ^= (char)(1 << bit);
                Assert.False(KeyRotation.TryFollow(new string(altered), Keys[0], out _, out var refusal), $"character {i}");
                Assert.NotEmpty(refusal);
            }
        }
    }

    [Fact]
    public void Rotations_out_of_order_left_out_or_of_other_keys_are_refused()
    {
        var foreign = VerifierKey.FromSeed("other.example/bits", Seeds[1]);
        string[] refused =
        [
            Notes[1..], Notes[..^1], Notes + "\n", "\n", Rotations[1].Note, Rotations[1].Note + Rotations[0].Note, Rotations[0].Note + Rotations[2].Note,
            Rotations[0].Note + Rotations[0].Note, Rotations[0].Note + KeyRotation.Sign(Seeds[1], Keys[0]).Note, KeyRotation.Sign(Seeds[0], foreign).Note,
            new Checkpoint(Origin, 5, default).Sign(Seeds[0]), KeyRotation.Sign(Seeds[3], Keys[1]).Note,
        ];
        foreach (var notes in refused) Assert.False(KeyRotation.TryFollow(notes, Keys[0], out _, out _), notes);
        // What was signed by one key is not another's, and no key names itself.
        Assert.Null(KeyRotation.Read(Origin, Keys[1].PublicKey, Keys[2].PublicKey, Rotations[0].Signature));
        Assert.Null(KeyRotation.Read("other.example/bits", Keys[0].PublicKey, Keys[1].PublicKey, Rotations[0].Signature));
        var itself = KeyRotation.Sign(Seeds[0], Keys[0]);
        Assert.Null(KeyRotation.Read(Origin, Keys[0].PublicKey, Keys[0].PublicKey, itself.Signature));
        Assert.False(KeyRotation.TryFollow(itself.Note, Keys[0], out _, out _));
    }

    [Fact]
    public void A_checkpoint_of_any_of_the_keys_is_the_logs()
    {
        Assert.True(KeyRotation.TryFollow(Notes, Keys[0], out var keys, out _));
        foreach (var seed in Seeds) Assert.True(Checkpoint.TryVerify(new Checkpoint(Origin, 5, default).Sign(seed), keys, out _, out _));
        Assert.False(Checkpoint.TryVerify(new Checkpoint(Origin, 5, default).Sign(SHA256.HashData("x"u8)), keys, out _, out var refusal));
        Assert.Contains("not signed", refusal, StringComparison.Ordinal);
    }
}
