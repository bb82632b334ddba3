// Journals that contain every type of entry that one partition can have, as bytes in the repository (Golden/README.md; those
// of several are in GoldenPartitions). Servers keep journals for
// ever: a change that cannot read one of these, or reads it into another state, would lose money.

using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class GoldenJournal
{
    /// <param name="Last">It has every type up to this one, and <paramref name="Later"/>.</param>
    private sealed record Version(string File, string StateHash, EntryType Last, EntryType[] Later, string Commands);

    // What made each file. While its formats are what is written, the same commands must still make the same bytes.
    private const string Beginning = """
        wallet a                          Accepted
        wallet b                          Accepted
        wallet x                          Accepted
        address a A                       Accepted
        address b B                       Accepted
        topup op T                        Accepted
        cursor 100 B100                   Accepted
        output d1 of A 5000               Accepted
        output t1 of T 9000               Accepted
        wait 600000
        deposit d1 credited               Accepted
        deposit t1 credited in C          Accepted
        pay a b 1200.5 ref hello          Accepted
        pay b x 0.001                     Accepted
        pay x a 7                         InsufficientFunds
        output d2 of B 12                 Accepted
        deposit d2 credited suspense      Accepted
        output d3 of B 800                Accepted
        deposit d3 credited               Accepted
        logcut 1 15                       Accepted
        withdraw a S1 1000 id w1          Accepted
        withdraw b S2 max id w2           Accepted
        withdraw a S3 90000 id w3 uncounted  InsufficientFunds
        withdraw a B 100 id w4            Accepted
        family 1 cap 400 of a/w1 anchor 1   Accepted
        abandon 1                         Accepted
        family 2 cap 500 of a/w1,b/w2 anchor 1   Accepted
        sign 2 1 fee 200                  Accepted
        sign 2 2 fee 350                  Accepted
        wait 600000
        cursor 101 B101                   Accepted
        confirm 2 2 B101                  Accepted
        unconfirm 2                       Accepted
        confirm 2 1 C101                  Accepted
        deposit d3 frozen                 Accepted
        pay b a 1                         WalletOwes
        deposit d3 credited               Accepted
        deposit d3 reversed               Accepted
        deposit d1 frozen                 Accepted
        deposit d1 credited               Accepted
        deposit d1 final                  Accepted
        deposit d2 final suspense         Accepted
        finish 2                          Accepted
        epochcut 1                        Accepted
        logcut 2 40                       Accepted
        clock                             Accepted
        """;

    private const string Payments = """

        freeze b by op                    Accepted
        pay b a 1                         WalletFrozen
        pay b a 90 upto ref all           WalletFrozen
        unfreeze b by op                  Accepted
        withdraw a S5 330 id w5           Accepted
        cancel a w5                       Accepted
        pay a x 90000 upto id u ref all   Accepted
        pay x a 2000                      Accepted
        hold a x 500 for 9000 id h1 ref order   Accepted
        hold a x 90000                    InsufficientFunds
        capture a x h1 120 id c1          Accepted
        capture a x h1 9000               HoldExceeded
        capture a x h1 80 close           Accepted
        hold a x 70 for 9000 id h2        Accepted
        release a x h2                    Accepted
        hold a x 60 for 9000 id h3        Accepted
        hold a x 50 for 600000 id h4      Accepted
        refund x a c1 100 ref sorry       Accepted
        refund x a c1 21                  RefundExceeds
        limits a 300 500 5000             Accepted
        pay a x 301                       LimitExceeded
        pay a x 200                       Accepted
        fees 1 flat 1 ppm 5000 min 2      Accepted
        pay a x 10 id f ref fee           Accepted
        pay a x 300 upto                  Accepted
        hold a x 20 for 700000            LimitExceeded
        limits a 0 0 0 by op              Accepted
        hold a x 20 for 700000 id h5      Accepted
        hold a x 20 for 700000 id h6      Accepted
        capture a x h6 10                 Accepted
        capture a x h6 5 close            Accepted
        split a x:11,b:12,op:13 id s ref parts   Accepted
        split a x:11                      Accepted
        split a x:1,op:90000              InsufficientFunds
        refund x a s 5                    Accepted
        wait 10000
        expire a h3                       Accepted
        """;

    private const string End = """

        floor 100                         Accepted
        wait 1
        withdraw a S4 500 id w1           Known
        family 3 cap 100                  Accepted
        """;

    private const string Heights = """

        sign 3 1 fee 40 at 104            Accepted
        sign 3 2 fee 60                   Accepted
        """;

    private const string Brakes = """

        withdraw a S5 1000 id w5 approval 900 key k1    Accepted
        withdraw a S6 400 id w6 approval 400 key k1     Accepted
        withdraw a S7 450 id w7 approval 400 key k1     Accepted
        withdraw a S8 399 id w8 approval 400 key k1     Accepted
        withdraw a S9 90000 approval 400 key k1 uncounted  InsufficientFunds
        withdraw a B 10 approval 1 key k1                Accepted
        approve a w5 key k1               SecondPersonNeeded
        approve a w5 key k2               Accepted
        decline a w6 key k1               Accepted
        stop id s1                        Accepted
        family 3 cap 100 of a/w5          WithdrawalsStopped
        resume id s2                      Accepted
        family 3 cap 100 of a/w5          Accepted
        stop id s3                        Accepted
        follow resume                     Accepted
        follow stop                       Accepted
        """;

    private const string Asked = """

        withdraw a S6 400 id w6           Accepted
        """;

    private const string Families = """

        sign 3 1 fee 40 at 104            Accepted
        child 3 1 1 fee 50 at 105         Accepted
        child 3 1 2 fee 60 at 106         Accepted
        confirm 3 1 B107                  Accepted
        finish 3 child 2                  Accepted
        family 4 cap 100 of a/w6 anchor 2   Accepted
        sign 4 1 fee 30 at 110            Accepted
        child 4 1 1 fee 20 at 111         Accepted
        die 4 by stranger                 Accepted
        family 5 cap 100 of a/w6 anchor 2   Accepted
        sign 5 1 fee 30 at 130            Accepted
        confirm 5 1 B131                  Accepted
        finish 5                          Accepted
        taken 5 by stranger                Accepted
        family 6 cap 100                  SettlementStopped
        """;

    private const string Signer = """

        withdraw a S5 400 id w5           Accepted
        family 3 cap 100 of a/w5          Accepted
        prepare 3 1 fee 40                Accepted
        sign 3 1 fee 40 at 104            Accepted
        prepare 3 2 fee 60                Accepted
        """;

    private const string Settled = """

        assign d2 x id s1                 Accepted
        family 3 cap 100 anchor 2         Accepted
        sign 3 1 fee 40 at 104            Accepted
        child 3 1 1 fee 50 at 105         Accepted
        confirm 3 1 B107                  Accepted
        finish 3 child 1                  Accepted
        archive 2 keep 1                  Accepted
        family 4 cap 100                  Accepted
        sign 4 1 fee 30 at 110            Accepted
        die 4 by stranger                 Accepted
        archive 4                         Accepted
        family 5 cap 100 anchor 3         Accepted
        sign 5 1 fee 30 at 120            Accepted
        confirm 5 1 B121                  Accepted
        finish 5                          Accepted
        archive 3 keep 1                  Accepted
        output d4 of A 70                 Accepted
        deposit d4 credited               Accepted
        deposit d4 frozen                 Accepted
        settle d4 released id s2 key k1   Accepted
        output d5 of A 9000               Accepted
        deposit d5 credited               Accepted
        pay a x 9000                      Accepted
        deposit d5 frozen                 Accepted
        settle d5 reversed id s3 key k2   Accepted
        output d6 of A 80                 Accepted
        deposit d6 frozen                 Accepted
        settle d6 reversed id s4 key k1   Accepted
        """;

    private const string Stated = """

        state 1                           Accepted
        epochcut 2                        Accepted
        epochcut 3                        Accepted
        state 3                           Accepted
        """;

    private const string Terms = """
        wallet a                          Accepted
        address a A                       Accepted
        cursor 100 B100                   Accepted
        term 1 silo-1                     Accepted
        cursor 101 B101                   TermOver
        term 1 silo-2                     TermOver
        under 1
        output d1 of A 1000               Accepted
        logcut 1 5                        Accepted
        term 7 silo-2                     Accepted
        deposit d1 credited               TermOver
        under 7
        deposit d1 credited               Accepted
        logcut 2 8                        Accepted
        """;

    private const string Addresses = """
        wallet a                          Accepted
        address a A                       Accepted
        address a B index 7 at 100        Accepted
        addresses a C,D,E index 8 at 101 id m   Accepted
        addresses a F,G,H index 11 id m   Known
        rescan 90                         Accepted
        rescan 80                         Accepted
        rescan 80 done                    Accepted
        rescan 70                         Accepted
        """;

    private const string Refused = """
        wallet a                          Accepted
        wallet b                          Accepted
        address a A                       Accepted
        address b B                       Accepted
        output d1 of A 1000               Accepted
        deposit d1 credited               Accepted
        withdraw a S1 400 id w1           Accepted
        withdraw a S2 9000 id w2          InsufficientFunds
        withdraw a S3 9000 id w3 approval 9 key k1   InsufficientFunds
        withdraw a B 9000 id w4           InsufficientFunds
        withdraw a B 100 id w5            Accepted
        wait 600000
        floor 100                         Accepted
        withdraw a S2 400 id w2           IdBelowFloor
        """;

    private static readonly Version[] Versions =
    [
        new("ledger-v1.golden", "538d55655f84a2592bb84eb3d0e4bfff5807916284d0ca6a8e3fe9237beaf4ed", EntryType.ClockConfirmed, [], Beginning + End),
        new(
            "ledger-v2-families.golden", "cdde5798ca6abbf9aee3b1a12fc4d1755bf8bba4126374602ce3fdfda1434cd7", EntryType.ClockConfirmed,
            [EntryType.FamilyDied, EntryType.ChildSigned, EntryType.SettlementStopped], Beginning + Asked + End + Families),
        new("ledger-v2.golden", "0121880df5d6eee2ee3acbe8dcd5e17139b9ffcdae04a644d2fffaa101a3b159", EntryType.SplitRefused, [EntryType.WithdrawalCancelled], Beginning + Payments + End + Heights),
        new("ledger-v2-brakes.golden", "f0228ab692bbffc0b19d3d4f9565c6f83d54b30bb6b9147a2de5e19c6ad13b3f", EntryType.EpochCut, [EntryType.ClockConfirmed, EntryType.WithdrawalsStopSet, EntryType.WithdrawalDecided], Beginning + Brakes),
        new("ledger-v2-signer.golden", "406b398a72d127cc2dc43de533a76e8d81f9fccc61f8b79ccfadf642c6927a86", EntryType.EpochCut, [EntryType.ClockConfirmed, EntryType.AttemptPrepared], Beginning + Signer),
        new(
            "ledger-v2-settled.golden", "eee82047eedf811b7ff720d738d4b16c776b4732d6c7e4e8fd8d6cfa9d5c0f33", EntryType.EpochCut,
            [EntryType.ClockConfirmed, EntryType.SuspenseAssigned, EntryType.FamilyDied, EntryType.ChildSigned, EntryType.FamilyArchived, EntryType.DepositSettled], Beginning + Settled),
        new("ledger-v2-stated.golden", "30f79c660f515ce87c9fd7b9db11e5ee668f022f5d267652b1b42db5534e5d71", EntryType.EpochCut, [EntryType.ClockConfirmed, EntryType.EpochStated], Beginning + Stated),
        new("ledger-addresses.golden", "8aaac372a6fed84f60c945692a7e491ae85cbb9ec74f3824cf534e008553a0ec", EntryType.None, [EntryType.Genesis, EntryType.WalletCreated, EntryType.AddressAssigned, EntryType.AddressesAssigned, EntryType.RescanMarked], Addresses),
        new("ledger-terms.golden", "521096a8452ab815b369609cb316afe29e18e952dce3ff855f3f38e379f1265f", EntryType.WalletCreated, [EntryType.AddressAssigned, EntryType.DepositChanged, EntryType.CursorMoved, EntryType.LogCut, EntryType.TermBegun], Terms),
        new("ledger-v2-refused.golden", "debaa761e7c0243e521ddc423af1d4466df994e0f14a63234ebc67a52a16f577", EntryType.WalletCreated, [EntryType.AddressAssigned, EntryType.DepositChanged, EntryType.WithdrawalRequested, EntryType.WithdrawalRefused, EntryType.WithdrawalSettledInside, EntryType.FloorRaised], Refused),
    ];

    public static TheoryData<int> Numbers => [.. Enumerable.Range(1, Versions.Length)];

    /// <summary>The state that the first golden journal replays to.</summary>
    internal static Hash256 ExpectedState => Expected(Versions[0]);

    /// <summary>The records of a version's journal; without a number the newest's, which has every type of entry of one partition.</summary>
    internal static List<byte[]> Read(int number = 3) => Split(File.ReadAllBytes(PathOf(Versions[number - 1])));

    private static Hash256 Expected(Version version) =>
        Hash256.TryParse(version.StateHash, out var expected) ? expected : throw new FormatException(version.StateHash);

    private static string PathOf(Version version) => Path.Combine(AppContext.BaseDirectory, "Golden", version.File);

    /// <summary>Every record begins with its own length.</summary>
    internal static List<byte[]> Split(ReadOnlySpan<byte> journal)
    {
        var records = new List<byte[]>();
        while (!journal.IsEmpty)
        {
            var length = (int)new ByteReader(journal).U32();
            records.Add(journal[..length].ToArray());
            journal = journal[length..];
        }
        return records;
    }

    [Theory]
    [MemberData(nameof(Numbers))]
    public void A_journal_of_every_version_replays_to_the_state_that_it_had(int number) =>
        Assert.Equal(Expected(Versions[number - 1]), Book.Replay(Read(number)).StateHash());

    [Theory]
    [MemberData(nameof(Numbers))]
    public void Every_type_of_entry_of_a_version_is_in_it(int number)
    {
        var (version, types) = (Versions[number - 1], Read(number).Select(r => Entry.Read(r).Type).ToHashSet());
        Assert.Equal(Enum.GetValues<EntryType>().Where(t => t != EntryType.None && t <= version.Last).Concat(version.Later), types.Order());
    }

    [Theory]
    [MemberData(nameof(Numbers))]
    public void The_same_commands_still_make_the_same_bytes(int number)
    {
        var version = Versions[number - 1];
        byte[] made = [.. RuleTable.Run(version.Commands).Book.Records.SelectMany(r => r)];
        // For a new version only; see the README beside the files. An existing file is never written to.
        if (Environment.GetEnvironmentVariable("BITCACHE_NEW_GOLDEN") is { Length: > 0 } path && version.File == Path.GetFileName(path))
        {
            using var file = new FileStream(path, FileMode.CreateNew);
            file.Write(made);
        }
        Assert.Equal(Convert.ToHexString(File.ReadAllBytes(PathOf(version))), Convert.ToHexString(made));
    }
}
