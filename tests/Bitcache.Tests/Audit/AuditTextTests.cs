using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Tests.Audit;

/// <summary>The proof text, the anchor record and the pins.</summary>
[Trait("suite", "core")]
public sealed class AuditTextTests
{
    private static readonly Hash256[] Hashes = ReferenceTree.Leaves(3);
    private static readonly TlogProof Proof = new(73_894, Hashes, "checkpoint\n\ntext\n");
    private static readonly string Base64 = Convert.ToBase64String(Hashes[0].ToArray());
    private static readonly VerifierKey Key = VerifierKey.FromSeed("ledger.example", SHA256.HashData("pins"u8));

    private static readonly Pins SamplePins = new(
        Key, Convert.FromHexString("5120" + new string('a', 64)), new Txid(Hashes[0]), BitcoinNetwork.Regtest);

    [Fact]
    public void A_proof_is_written_as_its_document_says_and_read_back()
    {
        var text = Proof.Write();
        Assert.Equal(
            "c2sp.org/tlog-proof@v1\nindex 73894\n" + string.Concat(Hashes.Select(h => Convert.ToBase64String(h.ToArray()) + "\n"))
            + "\ncheckpoint\n\ntext\n", text);
        Assert.True(TlogProof.TryParse(text, out var read));
        Assert.Equal((Proof.Index, Proof.Checkpoint), (read.Index, read.Checkpoint));
        Assert.Equal(Proof.Path, read.Path);
    }

    [Fact]
    public void A_proof_of_the_only_leaf_has_no_hashes()
    {
        Assert.True(TlogProof.TryParse(new TlogProof(0, [], "c").Write(), out var read));
        Assert.Empty(read.Path);
    }

    [Theory]
    [InlineData("c2sp.org/tlog-proof@v2\nindex 1\nHASH\n\nc")]
    [InlineData("c2sp.org/tlog-proof@v1\nextra AAAA\nindex 1\nHASH\n\nc")]
    [InlineData("c2sp.org/tlog-proof@v1\nHASH\n\nc")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex 01\nHASH\n\nc")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex -1\nHASH\n\nc")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex  1\nHASH\n\nc")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex 1\nHASH \n\nc")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex 1\n HASH\n\nc")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex 1\nHASH\r\n\nc")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\nc")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex 1\nHASH\nc")]
    [InlineData("c2sp.org/tlog-proof@v1\n\nc")]
    [InlineData("")]
    public void A_proof_in_any_other_spelling_is_refused(string text) =>
        Assert.False(TlogProof.TryParse(text.Replace("HASH", Base64, StringComparison.Ordinal), out _));

    [Fact]
    public void A_proof_has_at_most_63_hashes()
    {
        Assert.True(TlogProof.TryParse(new TlogProof(0, [.. Enumerable.Repeat(Hashes[0], 63)], "c").Write(), out _));
        Assert.False(TlogProof.TryParse(new TlogProof(0, [.. Enumerable.Repeat(Hashes[0], 64)], "c").Write(), out _));
    }

    [Fact]
    public void Base64_with_bits_left_over_is_refused()
    {
        // "…A=" and "…B=" decode to the same 32 bytes; only the first is what those bytes are written as.
        var zeros = Convert.ToBase64String(new byte[32]);
        Assert.Equal(new byte[32], Convert.FromBase64String(zeros[..^2] + "B="));
        Assert.True(TlogProof.TryParse($"c2sp.org/tlog-proof@v1\nindex 1\n{zeros}\n\nc", out _));
        Assert.False(TlogProof.TryParse($"c2sp.org/tlog-proof@v1\nindex 1\n{zeros[..^2]}B=\n\nc", out _));
    }

    [Fact]
    public void An_anchor_record_has_these_84_bytes()
    {
        var record = AnchorRecord.Create("ledger.example", 0x0102, 0x030405, Hashes[0]);
        var bytes = record.ToArray();
        Assert.Equal(
            "42434131" + Convert.ToHexStringLower(SHA256.HashData("ledger.example"u8)) + "0000000000000102" + "0000000000030405" + Hashes[0],
            Convert.ToHexStringLower(bytes));
        Assert.Equal(AnchorRecord.Bytes, bytes.Length);
        Assert.True(AnchorRecord.TryRead(bytes, out var read));
        Assert.Equal(record, read);
        Assert.Equal("6a2442434131" + Convert.ToHexStringLower(SHA256.HashData(bytes)), Convert.ToHexStringLower(record.Script()));
        Assert.Equal(AnchorRecord.ScriptBytes, record.Script().Length);
        Assert.False(AnchorRecord.TryRead(bytes.AsSpan(1), out _));
        Assert.False(AnchorRecord.TryRead([.. bytes, 0], out _));
        foreach (var place in new[] { 0, 36, 44 })
        {
            var altered = bytes.ToArray();
            altered[place] ^= 0x80;
            Assert.False(AnchorRecord.TryRead(altered, out _));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Pins_are_written_and_read_back(bool anchored)
    {
        var pins = anchored ? SamplePins : SamplePins with { FirstAnchor = null };
        var text = pins.Write();
        Assert.True(Pins.TryParse(text, out var read, out var refusal), refusal);
        Assert.Equal(text, read.Write());
        Assert.Equal(pins.FirstAnchor, read.FirstAnchor);
        Assert.Equal(pins.AnchorScript, read.AnchorScript);
        Assert.Equal((pins.Origin, pins.Key.ToString(), pins.Network), (read.Origin, read.Key.ToString(), read.Network));
    }

    [Fact]
    public void Pins_look_like_this() => Assert.Equal(
        $$"""
        {
          "origin": "ledger.example",
          "vkey": "{{Key}}",
          "anchor_script": "5120{{new string('a', 64)}}",
          "first_anchor": "{{new Txid(Hashes[0])}}",
          "network": "regtest"
        }

        """, SamplePins.Write());

    [Theory]
    [InlineData("\"regtest\"", "\"testnet4\"", "network")]
    [InlineData("\"regtest\"", "3", "network")]
    [InlineData("\"regtest\"", "\"regtest\", \"more\": 1", "object of")]
    [InlineData("\"regtest\"", "\"regtest\", \"network\": \"main\"", "JSON")]
    [InlineData("\"5120aa", "\"5120AA", "anchor_script")]
    [InlineData("\"5120aa", "\"5120a", "anchor_script")]
    [InlineData("\"origin\": \"ledger", "\"origin\": \"register", "origin")]
    [InlineData("\"origin\": \"ledger", "\"origin\": \"\\ud800", "JSON")]
    [InlineData("+A", "+B", "vkey")]
    [InlineData("\"first_anchor\"", "\"last_anchor\"", "first_anchor")]
    [InlineData("\"first_anchor\": \"", "\"first_anchor\": \"0", "first_anchor")]
    [InlineData("{", "[{", "JSON")]
    [InlineData("}", "},", "JSON")]
    [InlineData("}", "} ", "")]
    public void Pins_that_are_altered_are_refused_with_the_member_s_name(string old, string altered, string named)
    {
        var good = Pins.TryParse(SamplePins.Write().Replace(old, altered, StringComparison.Ordinal), out _, out var refusal);
        Assert.Equal(named.Length == 0, good);
        Assert.Contains(named, refusal, StringComparison.Ordinal);
    }
}
