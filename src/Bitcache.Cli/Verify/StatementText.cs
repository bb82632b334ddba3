// A statement of the log in words: what a receipt or a balance proves.

using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Verify;

internal static class StatementText
{
    public static string Describe(BalanceProof balance, EpochStatement statement) =>
        $"at the close of epoch {statement.Epoch} the operator owed {Bits(balance.Value)} of {Bits(statement.Total)} in all";

    public static string Describe(ReadOnlySpan<byte> statement)
    {
        try
        {
            var entry = Entry.ReadStatement(statement);
            return $"entry {entry.Sequence} of {entry.Time}: {Tell(entry)}";
        }
        catch (FormatException e)
        {
            return $"a statement that this version cannot read: {e.Message}";
        }
    }

    private static string Tell(Entry entry) => entry.Command switch
    {
        PaymentCommand or Split or RequestWithdrawal when entry.Outcome != Outcome.Accepted => $"refused ({ProblemType.Of(entry.Outcome)?.Code}): {Asked(entry)}",
        PaymentCommand or Split or RequestWithdrawal => Asked(entry) + Fee(entry),
        ExpireHold h => $"hold {h.Hold} of {h.Payer} for {entry.Payee} expired, {Bits(entry.Released)} went back",
        CancelWithdrawal c => $"{c.Wallet} cancelled withdrawal {c.Id}, {Amounts.Format(entry.Released, MoneyUnit.Sat)} went back",
        ExpireWithdrawal e => $"withdrawal {e.Withdrawal.Id} of {e.Withdrawal.Wallet} passed its deadline, {Amounts.Format(entry.Released, MoneyUnit.Sat)} went back",
        ChargeWithdrawal { Withdrawal: var w } => $"mining withdrawal {w.Id} cost {w.Wallet} {Amounts.Format(entry.Fee, MoneyUnit.Sat)}, {Amounts.Format(entry.Released, MoneyUnit.Sat)} went back",
        DecideWithdrawal d => d.Approved ? $"withdrawal {d.Id} of {d.Wallet} was approved"
            : $"withdrawal {d.Id} of {d.Wallet} was declined, {Amounts.Format(entry.Released, MoneyUnit.Sat)} went back",
        StopWithdrawals s => $"all withdrawals were {(s.Stopped ? "stopped" : "let go on")}",
        OpenFamily { Anchor: null, Withdrawals.Count: 0 } f => $"transaction family {f.Family} was opened to make one coin of many",
        AssignSuspense a => $"{Amounts.Format(entry.Released, MoneyUnit.Sat)} of output {a.OutPoint} went from suspense to {a.Wallet}, id {a.Id}",
        SettleDeposit s => $"the operator {(s.Released ? "released" : "reversed")} deposit {s.OutPoint}, {Amounts.Format(entry.Released, MoneyUnit.Sat)} of a wallet's, id {s.Id}",
        StateEpoch { Statement: var e } => $"epoch {e.Epoch} was closed at block {e.Height} {e.Block}: {Bits(e.Total)} are owed under root {e.LiabilitiesRoot}",
        RotateKey r => $"checkpoints are signed with the key {r.NewKey} from here on, says the key {r.OldKey}",
        BeginTerm t => $"another process settles from here on, under term {t.Term}",
        CreateWallet c => $"wallet {c.Wallet} was made, id {c.Id}",
        AssignAddress a => $"script {Convert.ToHexStringLower(a.Script.Span)} belongs to {a.Wallet}, id {a.Id}",
        AssignAddresses a => $"{a.Addresses.Count} scripts belong to {a.Wallet}, id {a.Id}: {string.Join(", ", a.Addresses.Select(d => Convert.ToHexStringLower(d.Script.Span)))}",
        SetFrozen f => $"{f.Wallet} was {(f.Frozen ? "frozen" : "unfrozen")}, id {f.Id}",
        SetLimits l => $"spending limits of {l.Wallet}: {Limit(l.Limits.PerPayment)} a payment, {Limit(l.Limits.PerHour)} an hour, {Limit(l.Limits.PerDay)} a day, id {l.Id}",
        SetFees f => $"fees of tenant {f.Tenant}: {Bits(f.Schedule.Flat)} and {f.Schedule.PartsPerMillion} parts per million, at least {Bits(f.Schedule.Minimum)}, id {f.Id}",
        _ => entry.Type.ToString(),
    };

    /// <summary>What was done, or asked for.</summary>
    private static string Asked(Entry entry)
    {
        var isDone = entry.Outcome == Outcome.Accepted;
        return entry.Command switch
        {
            Transfer t => $"{t.Payer} {(isDone ? "paid" : "pays")} {Bits(t.Amount)} to {t.Payee}{Terms(t)}",
            PlaceHold h => $"{h.Payer} {(isDone ? "set" : "sets")} {Bits(h.Amount)} aside for {h.Payee} until {h.Expires}{Terms(h)}",
            CaptureHold c => $"{c.Payer} {(isDone ? "paid" : "pays")} {Bits(c.Amount)} to {c.Payee} out of hold {c.Hold}"
                + (entry.Released.IsZero ? "" : $", {Bits(entry.Released)} went back") + Terms(c),
            ReleaseHold r => $"{r.Payee} {(isDone ? $"gave {Bits(r.Amount)}" : "gives what is left")} of hold {r.Hold} back to {r.Payer}{Terms(r)}",
            RefundPayment r => $"{r.Payer} {(isDone ? "paid" : "pays")} {Bits(r.Amount)} of payment {r.Original} (entry {r.OriginalSequence}, {Bits(r.OriginalAmount)}) back to {r.Payee}{Terms(r)}",
            Split s => string.Join("; ", s.Parts.Select(part => $"{s.Payer} {(isDone ? "paid" : "pays")} {Bits(part.Amount)} to {part.Payee} as a part of a split{Terms(s.Id, part.Code, part.Reference)}")),
            RequestWithdrawal w => $"{w.Wallet} withdraws {Amounts.Format(w.Amount.ToMsat(), MoneyUnit.Sat)} to script {Convert.ToHexStringLower(w.Script.Span)}"
                + (entry.Payee.IsNone ? "" : $", settled inside to {entry.Payee}") + $", id {w.Id}",
            _ => entry.Type.ToString(),
        };
    }

    private static string Fee(Entry entry) =>
        entry.Fee.IsZero ? "" : $", {(entry.Type is EntryType.HoldPlaced or EntryType.WithdrawalRequested ? "held for the fee" : "fee")} {Bits(entry.Fee)}";

    private static string Terms(PaymentCommand payment) => Terms(payment.Id, payment.Code, payment.Reference);

    private static string Terms(OperationId id, uint code, ByteString reference) =>
        $", id {id}, code {code}{(reference.Span.IsEmpty ? "" : $", reference '{Printable(reference.ToUtf8())}'")}";

    /// <summary>A batch's records may hold any bytes: what would act on a terminal is not shown.</summary>
    private static string Printable(string text) => PlainText.Of(text);

    private static string Bits(Msat amount) => Amounts.Format(amount, MoneyUnit.Bits);

    private static string Limit(Msat limit) => limit.IsZero ? "no limit" : Bits(limit);
}
