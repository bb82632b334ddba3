// A journal of version 1 that contains every type of entry, as bytes in the repository (Golden/README.md). Servers
// keep journals for ever: a change that cannot read this one, or reads it into another state, would lose money.

using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class GoldenJournal
{
    private const string FileName = "ledger-v1.golden";
    private const string StateHash = "153079f8ce49c68c33c73ec7fa057e916134d5d5b1b9b1fc0bbf5552c039a7a0";

    // What made the file. While version 1 is what is written, the same commands must still make the same bytes.
    private const string Commands = """
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
        withdraw a S3 90000 id w3         InsufficientFunds
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
        floor 100                         Accepted
        wait 1
        withdraw a S4 500 id w1           Known
        family 3 cap 100                  Accepted
        """;

    /// <summary>The state that the golden journal replays to.</summary>
    internal static Hash256 ExpectedState => Hash256.TryParse(StateHash, out var expected) ? expected : throw new FormatException(StateHash);

    private static string FilePath => Path.Combine(AppContext.BaseDirectory, "Golden", FileName);

    internal static List<byte[]> Read() => Split(File.ReadAllBytes(FilePath));

    /// <summary>Every record begins with its own length.</summary>
    private static List<byte[]> Split(ReadOnlySpan<byte> journal)
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

    [Fact]
    public void A_journal_of_version_1_replays_to_the_state_that_it_had()
    {
        var ledger = Book.Replay(Read());
        Assert.Equal(ExpectedState, ledger.StateHash());
    }

    [Fact]
    public void Every_type_of_entry_is_in_it()
    {
        var types = Read().Select(r => Entry.Read(r).Type).ToHashSet();
        Assert.Equal(Enum.GetValues<EntryType>().Where(t => t != EntryType.None).Order(), types.Order());
    }

    [Fact]
    public void The_same_commands_still_make_the_same_bytes()
    {
        byte[] made = [.. RuleTable.Run(Commands).Book.Records.SelectMany(r => r)];
        // For a new version only; see the README beside the file. An existing file is never written to.
        if (Environment.GetEnvironmentVariable("BITCACHE_NEW_GOLDEN") is { Length: > 0 } path)
        {
            using var file = new FileStream(path, FileMode.CreateNew);
            file.Write(made);
        }
        Assert.Equal(Convert.ToHexString(File.ReadAllBytes(FilePath)), Convert.ToHexString(made));
    }
}
