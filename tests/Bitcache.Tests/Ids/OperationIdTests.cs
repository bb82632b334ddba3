using Bitcache.Core;

namespace Bitcache.Tests.Ids;

[Trait("suite", "core")]
public sealed class OperationIdTests
{
    // RFC 9562, appendix A.6.
    private const string Rfc = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";

    [Fact]
    public void The_example_of_the_standard_is_read()
    {
        Assert.True(OperationId.TryParse(Rfc, out var id));
        Assert.True(id.IsWellFormed);
        Assert.Equal(new UnixTime(0x017f22e279b0), id.Time);
        Assert.Equal("2022-02-22T19:22:22.000Z", id.Time.ToString());
        Assert.Equal(Rfc, id.ToString());
        Assert.True(OperationId.TryParse(Rfc.ToUpperInvariant(), out var upper));
        Assert.Equal(id, upper);
    }

    [Holds(MaxTest = 1_000)]
    public void What_is_made_is_well_formed_and_carries_its_time(UnixTime time, Seed seed)
    {
        var bits = new byte[16];
        seed.Random().NextBytes(bits);
        var id = OperationId.Create(time, BitConverter.ToUInt128(bits));
        Assert.True(id.IsWellFormed);
        Assert.Equal(time, id.Time);
        Assert.True(OperationId.TryParse(id.ToString(), out var read));
        Assert.Equal(id, read);
        Assert.True(Guid.Parse(id.ToString()) is { Version: 7, Variant: >= 8 and <= 11 });
        Assert.NotEmpty(id.Time.ToString());
    }

    [Fact]
    public void All_74_random_bits_are_used_and_no_others()
    {
        var plain = OperationId.Create(new UnixTime(1), 0);
        var seen = new HashSet<OperationId> { plain };
        for (var bit = 0; bit < 128; bit++) Assert.Equal(bit < 74, seen.Add(OperationId.Create(new UnixTime(1), UInt128.One << bit)));
        Assert.Equal(75, seen.Count);
    }

    [Theory]
    // Other versions and variants, nil and max.
    [InlineData("017f22e2-79b0-4cc3-98c4-dc0c0c07398f")]
    [InlineData("017f22e2-79b0-1cc3-98c4-dc0c0c07398f")]
    [InlineData("017f22e2-79b0-8cc3-98c4-dc0c0c07398f")]
    [InlineData("017f22e2-79b0-7cc3-18c4-dc0c0c07398f")]
    [InlineData("017f22e2-79b0-7cc3-d8c4-dc0c0c07398f")]
    [InlineData("00000000-0000-0000-0000-000000000000")]
    [InlineData("ffffffff-ffff-ffff-ffff-ffffffffffff")]
    // Other forms of the same bytes.
    [InlineData("017f22e279b07cc398c4dc0c0c07398f")]
    [InlineData("{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}")]
    [InlineData("(017f22e2-79b0-7cc3-98c4-dc0c0c07398f)")]
    [InlineData(" 017f22e2-79b0-7cc3-98c4-dc0c0c07398f")]
    [InlineData("017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n")]
    [InlineData("017f22e2-79b0-7cc3-98c4-dc0c0c07398")]
    [InlineData("017f22e279b0--7cc3-98c4-dc0c0c07398f")]
    [InlineData("0x7f22e2-79b0-7cc3-98c4-dc0c0c07398f")]
    [InlineData("0x7f22e2-79b0-7cc3-98c4-dc0c0c07398f0")]
    [InlineData("0x17f22e-79b0-7cc3-98c4-dc0c0c07398f")]
    [InlineData("+17f22e2-79b0-7cc3-98c4-dc0c0c07398f")]
    [InlineData("017f22e2-+9b0-7cc3-98c4-dc0c0c07398f")]
    [InlineData("017f22e2-79b0-7cc3-98c4-0x0c0c07398f")]
    [InlineData("")]
    [InlineData("not an id at all, but of 36 letters.")]
    public void Anything_but_a_hyphenated_UUIDv7_is_refused(string text) => Assert.False(OperationId.TryParse(text, out _));

    [Fact]
    public void A_time_beyond_the_calendar_can_still_be_shown()
    {
        var last = OperationId.Create(new UnixTime((1L << 48) - 1), 0);
        Assert.Equal("281474976710655 ms", last.Time.ToString());
        Assert.Equal("9999-12-31T23:59:59.999Z", new UnixTime(253_402_300_799_999).ToString());
    }
}
