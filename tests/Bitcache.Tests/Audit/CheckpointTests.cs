using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit;

[Trait("suite", "core")]
public sealed class CheckpointTests
{
    private const string Origin = "ledger.example/bits";
    private static readonly byte[] Seed = SHA256.HashData("checkpoint tests"u8);
    private static readonly VerifierKey Key = VerifierKey.FromSeed(Origin, Seed);
    private static readonly Checkpoint Sample = new(Origin, 20_852_163, Rfc6962.LeafHash([7]));

    [Fact]
    public void A_signed_checkpoint_verifies_and_keeps_its_bytes()
    {
        var note = Sample.Sign(Seed);
        Assert.True(Checkpoint.TryVerify(note, Key, out var read, out var refusal), refusal);
        Assert.Equal(Sample, read);
        Assert.StartsWith($"{Origin}\n20852163\n{Convert.ToBase64String(Sample.Root.ToArray())}\n\n\u2014 {Origin} ", note, StringComparison.Ordinal);
        Assert.EndsWith("\n", note, StringComparison.Ordinal);
        Assert.Equal(note, read.Sign(Seed));
    }

    [Fact]
    public void No_character_of_a_checkpoint_can_change()
    {
        var note = Sample.Sign(Seed);
        for (var i = 0; i < note.Length; i++)
        {
            for (var bit = 0; bit < 8; bit++)
            {
                var altered = note.ToCharArray();
                altered[i] ^= (char)(1 << bit);
                Assert.False(Checkpoint.TryVerify(new string(altered), Key, out _, out var refusal));
                Assert.NotEmpty(refusal);
            }
            Assert.False(Checkpoint.TryVerify(note[..i], Key, out _, out _));
        }
    }

    [Fact]
    public void A_signature_by_another_key_is_skipped_but_does_not_stand_in()
    {
        var witness = SHA256.HashData("witness"u8);
        var note = Sample.Sign(Seed);
        var line = new Checkpoint("witness.example", 1, Sample.Root).Sign(witness).Split('\n')[^2];
        Assert.True(Checkpoint.TryVerify($"{note}{line}\n", Key, out _, out _));
        Assert.True(Checkpoint.TryVerify(note.Replace("\n\n", $"\n\n{line}\n", StringComparison.Ordinal), Key, out _, out _));
        Assert.False(Checkpoint.TryVerify($"{Sample.Body}\n{line}\n", Key, out _, out var refusal));
        Assert.Contains("not signed", refusal, StringComparison.Ordinal);
        Assert.False(Checkpoint.TryVerify(note + string.Concat(Enumerable.Repeat($"{line}\n", Limits.NoteSignaturesMax)), Key, out _, out _));
        Assert.False(Checkpoint.TryVerify($"{note}{line}x\n", Key, out _, out _));
    }

    [Fact]
    public void A_second_signature_by_the_key_must_hold_too()
    {
        var note = Sample.Sign(Seed);
        var wrong = (Sample with { Size = 1 }).Sign(Seed).Split('\n')[^2];
        Assert.False(Checkpoint.TryVerify($"{note}{wrong}\n", Key, out _, out var refusal));
        Assert.Contains("wrong", refusal, StringComparison.Ordinal);
    }

    /// <summary>Each body is signed correctly, so that only its form is at fault.</summary>
    [Theory]
    [InlineData("ROOT", true)]
    [InlineData("ROOT\nextension", false)]
    [InlineData("ROOT ", false)]
    [InlineData("ROOT\r", false)]
    [InlineData("AA==", false)]
    [InlineData("", false)]
    public void Only_three_lines_in_their_one_spelling_are_a_checkpoint(string rest, bool good)
    {
        var root = Convert.ToBase64String(Sample.Root.ToArray());
        Assert.Equal(good, Checkpoint.TryVerify(SignText($"{Origin}\n7\n{rest.Replace("ROOT", root, StringComparison.Ordinal)}\n"), Key, out _, out _));
    }

    [Theory]
    [InlineData("0", true)]
    [InlineData("9223372036854775807", true)]
    [InlineData("9223372036854775808", false)]
    [InlineData("07", false)]
    [InlineData("+7", false)]
    [InlineData("-7", false)]
    [InlineData(" 7", false)]
    [InlineData("", false)]
    [InlineData("0x7", false)]
    public void A_size_is_a_plain_decimal_number(string size, bool good) =>
        Assert.Equal(good, Checkpoint.TryVerify(SignText($"{Origin}\n{size}\n{Convert.ToBase64String(Sample.Root.ToArray())}\n"), Key, out _, out _));

    [Fact]
    public void A_checkpoint_of_another_log_by_the_same_key_is_refused()
    {
        Assert.False(Checkpoint.TryVerify(SignText($"other.example\n7\n{Convert.ToBase64String(Sample.Root.ToArray())}\n"), Key, out _, out var refusal));
        Assert.Contains("other.example", refusal, StringComparison.Ordinal);
    }

    /// <summary>The keys are those of the C2SP document and of the Go checksum database.</summary>
    [Theory]
    [InlineData("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "example.com/foo", 0x530d903a)]
    [InlineData("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8", "sum.golang.org", 0x033de0ae)]
    public void Public_verifier_keys_are_read_and_written_back(string text, string name, uint id)
    {
        Assert.True(VerifierKey.TryParse(text, out var key));
        Assert.Equal((name, id, text), (key.Name, key.KeyId, key.ToString()));
    }

    /// <summary>The signature of the C2SP document's example, over a text that is no checkpoint.</summary>
    [Fact]
    public void The_example_of_the_signed_note_document_verifies()
    {
        Assert.True(VerifierKey.TryParse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", out var key));
        var signature = Convert.FromBase64String("Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=");
        Assert.True(Ed25519.Verify(key.PublicKey, "This is an example message.\n"u8, signature.AsSpan(4)));
    }

    [Theory]
    [InlineData("example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")]
    [InlineData("example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")]
    [InlineData("example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")]
    [InlineData("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k ")]
    [InlineData("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U0=")]
    [InlineData("example.com/foo+530d903a")]
    [InlineData("+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")]
    [InlineData("")]
    public void A_malformed_verifier_key_is_refused(string text) => Assert.False(VerifierKey.TryParse(text, out _));

    [Theory]
    [InlineData("")]
    [InlineData("two words")]
    [InlineData("a+b")]
    [InlineData("a\nb")]
    [InlineData("a\u2003b")]
    public void A_log_cannot_have_a_name_that_breaks_its_texts(string name)
    {
        Assert.False(VerifierKey.IsName(name));
        Assert.Throws<ArgumentException>(() => VerifierKey.FromSeed(name, Seed));
    }

    [Fact]
    public void A_log_s_name_has_at_most_128_bytes()
    {
        Assert.True(VerifierKey.IsName(new string('a', Limits.OriginBytesMax)));
        Assert.False(VerifierKey.IsName(new string('a', Limits.OriginBytesMax + 1)));
        Assert.False(VerifierKey.IsName(new string('ä', (Limits.OriginBytesMax / 2) + 1)));
        Assert.False(VerifierKey.IsName("half a surrogate pair: \ud800"[^1..]));
    }

    private static string SignText(string text)
    {
        var signature = Ed25519.Sign(Seed, System.Text.Encoding.UTF8.GetBytes(text));
        byte[] id = [(byte)(Key.KeyId >> 24), (byte)(Key.KeyId >> 16 & 0xff), (byte)(Key.KeyId >> 8 & 0xff), (byte)(Key.KeyId & 0xff)];
        return $"{text}\n\u2014 {Origin} {Convert.ToBase64String([.. id, .. signature])}\n";
    }
}
