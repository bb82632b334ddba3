using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using Bitcache.Core;
using FsCheck.Fluent;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class ReplayTests
{
    [Fact]
    public void A_long_run_replays_to_the_same_state_whatever_the_culture_and_time_zone()
    {
        // Replaying compares the bytes of every entry, so three equal states are three equal journals.
        Property.Holds(
            Op.StoriesOf(2_000),
            story =>
            {
                var (records, hash) = StoryRun.Journal(story);
                Assert.True(records.Count > 300);
                foreach (var (culture, zone) in Places) In(culture, zone, () => Assert.Equal(hash, Book.Replay(records).StateHash()));
                // The same commands again make the same journal.
                In(Places[2].Culture, Places[2].Zone, () => Assert.Equal(Digest(records), Digest(StoryRun.Journal(story).Records)));
            },
            runs: 3);
    }

    /// <summary>Cultures made up of what differs between real ones: the build knows no others.</summary>
    private static (CultureInfo Culture, string Zone)[] Places =>
    [
        (Culture(",", ".", "\u2212"), "Pacific/Kiritimati"),
        (Culture("\u066b", "\u066c", "\u061c-"), "America/St_Johns"),
        (Culture("'", " ", "~"), "Asia/Kathmandu"),
    ];

    private static CultureInfo Culture(string point, string group, string minus)
    {
        var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        culture.NumberFormat.NumberDecimalSeparator = point;
        culture.NumberFormat.NumberGroupSeparator = group;
        culture.NumberFormat.NegativeSign = minus;
        culture.NumberFormat.NativeDigits = ["٠", "١", "٢", "٣", "٤", "٥", "٦", "٧", "٨", "٩"];
        return culture;
    }

    private static void In(CultureInfo culture, string zone, Action action)
    {
        var (before, zoneBefore) = (CultureInfo.CurrentCulture, Environment.GetEnvironmentVariable("TZ"));
        try
        {
            CultureInfo.CurrentCulture = CultureInfo.CurrentUICulture = culture;
            SetZone(zone);
            action();
        }
        finally
        {
            CultureInfo.CurrentCulture = CultureInfo.CurrentUICulture = before;
            SetZone(zoneBefore);
        }

        static void SetZone(string? name)
        {
            Environment.SetEnvironmentVariable("TZ", name);
            TimeZoneInfo.ClearCachedData();
        }
    }

    private static string Digest(IEnumerable<byte[]> records) => Convert.ToHexString(SHA256.HashData([.. records.SelectMany(r => r)]));

    [Fact]
    public void Bytes_that_are_no_records_are_refused_as_such_in_a_batch_as_alone()
    {
        var rules = RuleTable.Run(TransferRules.Funded);
        var before = rules.Book.Records.ToArray();
        rules.Continue("pay a b 1   Accepted");
        var record = rules.Book.Records[^1];
        // Of 80 bytes of reference, where 64 are allowed and none were.
        byte[] longer = [.. record[..94], 80, .. new byte[80], .. record[95..]];
        BinaryPrimitives.WriteInt32BigEndian(longer, longer.Length);
        BinaryPrimitives.WriteUInt16BigEndian(longer.AsSpan(12), (ushort)(BinaryPrimitives.ReadUInt16BigEndian(record.AsSpan(12)) + 80));
        byte[][] broken = [longer, record[..^3], record[..3], record[..20], [255, 255, 255, 255, 0, 0], [0, 0, 0, 0, 0, 0], [0, 0, 0, 4]];
        foreach (var bytes in broken)
        {
            Assert.Throws<FormatException>(() => Book.Replay(before).ReplayBatch(bytes, new byte[Limits.RecordBytesMax]));
            Assert.Throws<FormatException>(() => Book.Replay(before).Replay(bytes, new byte[Limits.RecordBytesMax]));
            // Behind a good one, too.
            Assert.Throws<FormatException>(() => Book.Replay(before).ReplayBatch([.. record, .. bytes], new byte[Limits.RecordBytesMax]));
        }
    }

    [Fact]
    public void A_changed_byte_is_refused_or_changes_what_is_remembered_or_logged()
    {
        var records = GoldenJournal.Read();
        for (var i = 0; i < records.Count; i++)
        {
            var before = i == 0 ? null : KeptState.Of(Book.Replay(records[..i]));
            var hash = Book.Replay([records[i]], before: before).StateHash();
            for (var at = 0; at < records[i].Length; at++)
            {
                foreach (var change in (byte[])[(byte)(1 << (at % 8)), 0xff])
                {
                    var changed = records[i].ToArray();
                    changed[at] ^= change;
                    if (TryReplay([changed], before) is not { } other) continue;
                    // It was taken: then it is a free input, such as a salt, a reference or a block's hash.
                    var logged = Leaves(changed) == Leaves(records[i]);
                    // What a payer asked for, where less was there, is held against its retry and nothing else.
                    var asked = logged && Entry.Read(changed) is { Type: EntryType.TransferUpTo, Command: Transfer t } && t.UpTo > t.Amount;
                    Assert.False(logged && other == hash && !asked, $"record {i} ({Entry.Read(records[i]).Type}), byte {at}");
                }
            }
        }
    }

    /// <summary>What the log holds of a record: one statement, or those of a split.</summary>
    private static string Leaves(byte[] record)
    {
        var (first, count) = Entry.SequencesOf(record);
        return string.Concat(Enumerable.Range(0, count).Select(i => Convert.ToHexString(Entry.StatementOf(record, first + i)) + ";"));
    }

    [Fact]
    public void A_missing_doubled_or_exchanged_record_is_refused()
    {
        var records = GoldenJournal.Read();
        for (var i = 0; i + 1 < records.Count; i++)
        {
            Assert.Null(TryReplay([.. records[..i], .. records[(i + 1)..]]));
            Assert.Null(TryReplay([.. records[..(i + 1)], .. records[i..]]));
            Assert.Null(TryReplay([.. records[..i], records[i + 1], records[i], .. records[(i + 2)..]]));
        }
    }

    [Holds(MaxTest = 3_000)]
    public void Mutated_records_are_refused_with_two_exceptions_and_no_other(Seed seed)
    {
        var records = GoldenJournal.Read();
        var random = seed.Random();
        var at = random.Next(records.Count);
        records[at] = Mutations.Of(records[at], random);
        // A batch of nothing is nothing to object to.
        if (records[at].Length == 0) records.RemoveAt(at);
        TryReplay(records);
    }

    /// <summary>The state's hash at the end; null when the journal is refused in one of the two ways there are.</summary>
    private static Hash256? TryReplay(IReadOnlyList<byte[]> records, KeptState? before = null)
    {
        try
        {
            return Book.Replay(records, before: before).StateHash();
        }
        catch (Exception e) when (e is FormatException or LedgerInvariantException)
        {
            return null;
        }
    }
}
