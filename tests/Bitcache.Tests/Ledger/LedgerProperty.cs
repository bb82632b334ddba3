// Goal: whatever is asked of the ledger, in whatever order, its outcomes and balances are those of the model, money
// is conserved (P6), an id has one effect (P5) and nothing is negative (P7). Method: random lists of commands, the
// model beside the ledger, compared after every command. A failure prints its seed; BITCACHE_SEED runs it again.

using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class LedgerProperty
{
    private const int OpsMin = 20;
    private const int OpsMax = 150;
    /// <summary>What is drawn anew at each run may take a minute to find, or to cut down.</summary>
    private static readonly ulong PlantedSeed = Environment.GetEnvironmentVariable("BITCACHE_SEED") is null ? 1 : Property.Seed;

    [Holds(MaxTest = 300, StartSize = OpsMin, EndSize = OpsMax)]
    public void The_ledger_does_what_the_model_does(Story story) => StoryRun.Check(story);

    public static TheoryData<string> Bugs => [.. PlantedBugs.All.Keys];

    [Theory]
    [MemberData(nameof(Bugs))]
    public void A_planted_bug_is_found_and_cut_down(string bug)
    {
        Story? shortest = null;
        Assert.Throws<Xunit.Sdk.XunitException>(() => Property.Holds(Op.Stories, Op.Shrink, Run, runs: 3_000, OpsMin, OpsMax, PlantedSeed));
        Assert.True(shortest!.Ops.Count <= OpsMin, $"BITCACHE_SEED={PlantedSeed} left {shortest}");

        void Run(Story story)
        {
            try
            {
                new StoryRun(PlantedBugs.All[bug]).Run(story);
            }
            catch
            {
                shortest = shortest is null || story.Ops.Count < shortest.Ops.Count ? story : shortest;
                throw;
            }
        }
    }

    [Holds(MaxTest = 60)]
    public void Requests_sent_up_to_five_times_in_any_order_have_one_effect_each(Seed seed)
    {
        var random = seed.Random();
        var rules = RuleTable.Run(TransferRules.Funded);
        var requests = Enumerable.Range(0, 20).Select(i => Request(rules, random, i)).ToArray();
        var sent = requests.SelectMany(r => Enumerable.Repeat(r, random.Next(1, 6))).ToArray();
        random.Shuffle(sent);
        var first = new Dictionary<OperationId, ApplyResult>();
        var once = RuleTable.Run(TransferRules.Funded).Book;
        foreach (var request in sent)
        {
            var result = rules.Book.Apply(request, 1);
            if (first.TryAdd(request.Id, result))
            {
                // A ledger that gets every request once, in the order of first arrival, ends the same.
                Assert.Equal(result.Outcome, once.Apply(request, 1).Outcome);
                continue;
            }
            var journaled = first[request.Id].IsJournaled;
            Assert.Equal(journaled ? Outcome.Known : first[request.Id].Outcome, result.Outcome);
            if (journaled) Assert.Equal(first[request.Id].Sequence, result.Sequence);
        }
        Assert.Equal(once.Ledger.StateHash(), rules.Book.Ledger.StateHash());
    }

    private static ClientCommand Request(RuleTable rules, Random random, int number)
    {
        var id = rules.Id("request " + number);
        string[] wallets = ["a", "b", "c"];
        var (from, to) = (RuleTable.Wallet(wallets[random.Next(3)]), RuleTable.Wallet(wallets[random.Next(3)]));
        return random.Next(10) switch
        {
            0 => new CreateWallet(id, 1, new WalletId((UInt128)(500 + number))),
            1 => new AssignAddress(id, from, AddressPurpose.Deposit, RuleTable.Script("own " + number)),
            2 or 3 => new RequestWithdrawal(id, from, RuleTable.Script(random.Next(2) == 0 ? "A" : "S"), new Sats(random.Next(700)), random.Next(3) == 0),
            _ => new Transfer(id, from, to, new Msat(random.Next(700_000)), 0, ByteString.Empty),
        };
    }
}
