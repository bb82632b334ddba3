using System.Runtime.CompilerServices;
using Bitcache.Core;

namespace Bitcache.Tests.Ledgers;

/// <summary>What is taken only from whoever settles.</summary>
[Trait("suite", "core")]
public sealed class TermRules
{
    [Fact]
    public void The_settlements_commands_are_these()
    {
        // Whether it is one, no command's fields decide.
        var under = typeof(Command).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(Command)) && !type.IsAbstract)
            .Where(type => ((Command)RuntimeHelpers.GetUninitializedObject(type)).IsUnderTerm);
        Assert.Equal(
            [
                "AbandonFamily", "ArchiveFamily", "AssignAddress", "AssignAddresses", "AssignSuspense", "ChangeDeposit", "ChargeWithdrawal", "ConfirmFamily", "DeclareFamilyDead",
                "EpochCut", "FinishFamily", "LogCut", "MarkRescan", "MoveCursor", "MoveOperatorFunds", "OpenFamily", "PrepareAttempt", "RotateKey", "SetFees",
                "SettleDeposit", "SignAttempt", "SignChild", "StateEpoch", "StopSettlement", "StopWithdrawals", "UnconfirmFamily",
            ],
            under.Select(type => type.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_must_be_known_or_set_in_every_partition_is_refused_to_whoever_is_late()
    {
        var rules = RuleTable.Run("""
            wallet a                                   Accepted
            address a A id a1                          Accepted
            addresses a B,C index 8 at 101 id a2       Accepted
            stop id s1                                 Accepted
            term 3 silo-2                              Accepted
            address a D                                TermOver
            addresses a D,E index 10 at 101            TermOver
            topup op O                                 TermOver
            fees 1 flat 1                              TermOver
            resume id s2                               TermOver
            follow resume                              TermOver
            freeze op                                  TermOver
            # Also what was done under the old term, and what breaks a rule.
            address a A id a1                          TermOver
            addresses a B,C index 8 at 101 id a2       TermOver
            stop id s1                                 TermOver
            address x X                                TermOver
            # A user's wallet is in one partition, and anybody may ask there.
            freeze a                                   Accepted
            unfreeze a                                 Accepted
            wallet b                                   Accepted
            under 4
            address a D                                TermOver
            freeze op                                  TermOver
            under 3
            address a A id a1                          Known
            address a D                                Accepted
            addresses a E,F index 10 at 101            Accepted
            topup op O                                 Accepted
            fees 1 flat 1                              Accepted
            resume id s2                               Accepted
            follow stop                                Accepted
            freeze op                                  Accepted
            """);
        Assert.True(rules.Book.Reopen().Ledger.WithdrawalsStopped);
    }
}
