// A journal with the terms that withdrawals may have, fees and deadlines, as bytes in the repository (Golden/README.md).

using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class GoldenWithdrawals
{
    private const string File = "ledger-v4.golden";
    private const string StateHash = "7f1da0a68a8168d89263d73c0127fd33d6f8ac065b33165309729df5071f08bd";

    private const string Commands = WithdrawalRules.Funded + """
        withdraw a S 400 fee 30 feemax 40 until 90000 id 1   Accepted
        withdraw a S2 330 until 5000 id 2     Accepted
        withdraw a S3 9000 fee 7 id 3 uncounted  InsufficientFunds
        withdraw b S4 max fee 7 feemax 9 id 4 uncounted  InsufficientFunds
        withdraw a B 100 fee 7 feemax 0 until 9   Accepted
        withdraw a S5 max fee 0 id 5 uncounted  InsufficientFunds
        pay op b 800                          Accepted
        withdraw b S6 max fee 50 id 6         Accepted
        withdraw b T max fee 50 id 7 uncounted  InsufficientFunds
        family 1 cap 100 of a/1,b/6           Accepted
        sign 1 1 fee 90 at 100                Accepted
        wait 5000
        late a 2                              Accepted
        confirm 1 1 B                         Accepted
        finish 1 shared 60                    Accepted
        charge a 1                            Accepted
        withdraw a S7 330 fee 9 until 9000 id 8   Accepted
        """;

    /// <summary>It ends with one that is final and not charged, and with one that waits.</summary>
    [Fact]
    public void The_journal_replays_to_the_state_that_it_had()
    {
        var records = GoldenJournal.Split(System.IO.File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Golden", File)));
        var ledger = Book.Replay(records);
        Assert.True(StateHash == ledger.StateHash().ToString(), $"it is {ledger.StateHash()}");
        Assert.Single(ledger.UnchargedWithdrawals());
        Assert.Equal(1, ledger.QueuedWithdrawals);
        Assert.Superset(
            new HashSet<EntryType> { EntryType.WithdrawalExpired, EntryType.WithdrawalCharged }, records.Select(r => Entry.Read(r).Type).ToHashSet());
    }

    [Fact]
    public void The_same_commands_still_make_the_same_bytes()
    {
        byte[] made = [.. RuleTable.Run(Commands).Book.Records.SelectMany(r => r)];
        if (Environment.GetEnvironmentVariable("BITCACHE_NEW_GOLDEN_WITHDRAWALS") is { Length: > 0 } path)
        {
            using var file = new FileStream(path, FileMode.CreateNew);
            file.Write(made);
        }
        Assert.Equal(
            Convert.ToHexString(System.IO.File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Golden", File))), Convert.ToHexString(made));
    }
}
