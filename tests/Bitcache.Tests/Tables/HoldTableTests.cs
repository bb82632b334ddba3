using Bitcache.Core;

namespace Bitcache.Tests.Tables;

[Trait("suite", "core")]
public sealed class HoldTableTests
{
    private const long Start = 1_800_000_000_000;

    [Theory]
    [InlineData("time")]
    [InlineData("upper")]
    [InlineData("lower")]
    public void Ids_that_were_chosen_to_be_alike_are_spread(string differing)
    {
        var table = new HoldTable(0xdead_beef_cafe_babe);
        for (var i = 0; i < 8_000; i++)
        {
            var id = differing switch
            {
                "time" => OperationId.Create(new UnixTime(Start + i), 42),
                "upper" => OperationId.Create(new UnixTime(Start + (i / 4_096)), ((UInt128)(i % 4_096) << 62) | 42),
                _ => OperationId.Create(new UnixTime(Start), (UInt128)i << 40),
            };
            table.Add(new Hold { Id = id, Sequence = i + 1, Payer = 7, Payee = 8, Left = new Msat(1) });
        }
        Assert.InRange(table.LongestSearch, 1, 200);
    }

    /// <summary>Against lists that are searched from end to end.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_list_goes_on_from_any_sequence_whatever_was_closed(int seed)
    {
        var random = new Random(seed);
        var table = new HoldTable((ulong)seed);
        var open = new List<Hold>();
        for (var sequence = 1; sequence <= 4_000; sequence++)
        {
            if (open.Count > 0 && random.Next(5) < (sequence < 2_500 ? 2 : 4))
            {
                var closed = open[random.Next(open.Count)];
                table.Remove(table.Find(closed.Payer, closed.Id));
                open.Remove(closed);
            }
            else
            {
                var payer = random.Next(4);
                var hold = new Hold { Id = new OperationId((UInt128)sequence), Sequence = sequence, Payer = payer, Payee = (payer + 1 + random.Next(3)) % 4, Left = new Msat(1) };
                table.Add(hold);
                open.Add(hold);
            }
            if (sequence % 10 != 0) continue;
            var (wallet, before) = (random.Next(5), random.NextInt64(sequence + 2));
            Assert.Equal(
                open.Where(h => (h.Payer == wallet || h.Payee == wallet) && h.Sequence < before).Select(h => h.Sequence).Reverse(),
                table.Of(wallet, before).Select(slot => table.Peek(slot).Sequence));
            Assert.Equal(open.Count(h => h.Payer == wallet), table.CountOf(wallet));
        }
    }

    [Fact]
    public void A_page_costs_what_it_returns()
    {
        const int Holds = 200_000;
        const int PageHolds = 10;
        // A balanced tree of so many is 18 deep; a treap of them about twice that.
        const int StepsToFindAPlace = 64;
        var table = new HoldTable(3);
        for (var i = 1; i <= Holds; i++) table.Add(new Hold { Id = new OperationId((UInt128)i), Sequence = i, Payer = i % 9, Payee = 100, Left = new Msat(1) });
        for (var before = PageHolds + 1; before <= Holds; before += 97)
        {
            var steps = table.ListSteps;
            Assert.Equal(Enumerable.Range(1, PageHolds).Select(i => (long)before - i), table.Of(100, before).Take(PageHolds).Select(slot => table.Peek(slot).Sequence));
            Assert.InRange(table.ListSteps - steps, 1, StepsToFindAPlace + (2 * PageHolds));
        }
    }
}
