using Bitcache.Core;

namespace Bitcache.Tests.Ids;

[Trait("suite", "core")]
public sealed class WalletIdTests
{
    public static TheoryData<string> Ids => new(
        "00000000000000000000000000000000", "ffffffffffffffffffffffffffffffff", "0123456789abcdeffedcba9876543210",
        "80000000000000000000000000000001");

    private static WalletId Id(string hex) => WalletId.Read(Convert.FromHexString(hex));

    [Holds(MaxTest = 2_000)]
    public void An_id_is_read_back_from_its_text(Seed seed)
    {
        var bytes = new byte[WalletId.Bytes];
        seed.Random().NextBytes(bytes);
        var id = WalletId.Read(bytes);
        var text = id.ToString();
        Assert.Equal(36, text.Length);
        Assert.StartsWith("bcw1", text, StringComparison.Ordinal);
        Assert.True(WalletId.TryParse(text, out var read));
        Assert.Equal(id, read);
        Assert.True(WalletId.TryParse(text.ToUpperInvariant(), out read));
        Assert.Equal(id, read);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Any_single_wrong_character_is_refused(string hex)
    {
        var text = Id(hex).ToString();
        for (var i = 0; i < text.Length; i++)
        {
            for (var c = '\0'; c < 256; c++)
            {
                if (c == text[i]) continue;
                var wrong = text[..i] + c + text[(i + 1)..];
                Assert.False(WalletId.TryParse(wrong, out var id), wrong);
                Assert.True(id.IsNone);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Any_swap_of_two_neighbours_is_refused(string hex)
    {
        var text = Id(hex).ToString();
        for (var i = 0; i + 1 < text.Length; i++)
        {
            if (text[i] == text[i + 1]) continue;
            var swapped = text[..i] + text[i + 1] + text[i] + text[(i + 2)..];
            Assert.False(WalletId.TryParse(swapped, out _), swapped);
        }
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void A_missing_or_additional_character_is_refused(string hex)
    {
        var text = Id(hex).ToString();
        for (var i = 0; i <= text.Length; i++)
        {
            if (i < text.Length) Assert.False(WalletId.TryParse(text.Remove(i, 1), out _));
            foreach (var c in "qpzry9x8gf2tvdw0s3jn54khce6mua7l1 ") Assert.False(WalletId.TryParse(text.Insert(i, c.ToString()), out _));
        }
    }

    [Fact]
    public void Text_of_another_kind_is_refused()
    {
        var bytes = Convert.FromHexString("0123456789abcdeffedcba9876543210");
        foreach (var text in new[]
        {
            "", "bcw", "bcw1", "1", "0123456789abcdeffedcba9876543210",
            // The right bytes under another prefix, too few, and too many.
            Bech32m.Encode("bcx", bytes), Bech32m.Encode("bc", bytes), Bech32m.Encode("bcw", bytes.AsSpan(0, 15)), Bech32m.Encode("bcw", [.. bytes, 0]),
            // The older checksum.
            Bech32m.EncodeSegwit("bcw", 0, bytes),
            new string('q', 100), new string('\uff51', 36),
        })
        {
            Assert.False(WalletId.TryParse(text, out _), text);
        }
        var mixed = WalletId.Read(bytes).ToString();
        Assert.False(WalletId.TryParse("BCW" + mixed[3..], out _));
    }

    [Fact]
    public void Ids_are_ordered_as_their_bytes()
    {
        Assert.True(Id("00000000000000000000000000000001") < Id("80000000000000000000000000000000"));
        Assert.True(Id("00000000000000010000000000000000") > Id("0000000000000000ffffffffffffffff"));
    }
}
