// The ledger's rules as tables: one command a line, the outcome it must have, and the balances it must leave.
//
//     pay a b 60              InsufficientFunds    a 40, b 60
//     deposit d1 frozen       Accepted             a 0 frozen 40 pending 60
//
// Amounts are satoshis ("40.5") unless they name a unit ("1msat"). A wallet's balances are all stated: what is not
// named is zero; "wait 1000" lets milliseconds pass, "under 2" sends the settlement's commands under term 2. Wallets a, b and c belong to tenant 1, x to tenant 2, op is the operator's. Two blanks end a column.

using System.Globalization;
using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Ledgers;

internal sealed class RuleTable
{
    private readonly Dictionary<string, (string Address, Sats Amount)> _outputs = [];
    private readonly Dictionary<string, UInt128> _ids = [];
    private int _unnamed;

    public Book Book { get; } = new();

    /// <summary>Runs a table from the beginning, and at its end replays its journal.</summary>
    public static RuleTable Run(string table)
    {
        var rules = new RuleTable();
        rules.Continue(table);
        Assert.Equal(rules.Book.Ledger.StateHash(), Book.Replay(rules.Book.Records).StateHash());
        return rules;
    }

    public void Continue(string table)
    {
        foreach (var line in table.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0 && l[0] != '#'))
        {
            if (line.StartsWith("wait ", StringComparison.Ordinal))
            {
                Book.Wait(Long(line[5..]));
                continue;
            }
            if (line.StartsWith("under ", StringComparison.Ordinal))
            {
                Book.Term = Long(line[6..]);
                continue;
            }
            var columns = line.Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            Assert.True(columns.Length >= 2, "an outcome is missing: " + line);
            var was = Step(columns[0].Split(' '));
            Assert.True(columns[1] == was, $"{line}\n  was {was}");
            foreach (var expected in columns.Length < 3 ? [] : columns[2].Split(", "))
            {
                var show = Show(expected.Split(' ')[0]);
                Assert.True(expected == show, $"{line}\n  left {show}");
            }
        }
    }

    public static WalletId Wallet(string name) => name == "op" ? Book.Operator : WalletId.Read(Encoding.ASCII.GetBytes(name.PadRight(16, '.')));
    public static uint TenantOf(string wallet) => wallet switch { "op" => Ledger.OperatorTenant, "x" => 2, _ => 1 };

    /// <summary>A taproot script of a name's own.</summary>
    public static ByteString Script(string name) => name == "anchor"
        ? Book.AnchorScript
        : new ByteString([0x51, 32, .. Encoding.ASCII.GetBytes(name.PadRight(32, '.'))]);

    public static OutPoint Output(string name) => new(new Txid(Hash(name)), 0);
    public static BlockHash Block(string name) => new(Hash(name));

    public OperationId Id(string name)
    {
        if (!_ids.TryGetValue(name, out var random)) _ids.Add(name, random = (UInt128)(_ids.Count + 1));
        return OperationId.Create(Book.Start, random);
    }

    /// <summary>"confirm 1 2 B": attempt 2 of family 1, in block B, with a proof of the right shape.</summary>
    private static ConfirmFamily ParseConfirm(string[] w) => new(
        Long(w[1]), int.Parse(w[2], CultureInfo.InvariantCulture), 7, Block(w[3]), new ByteString(new byte[Limits.BlockHeaderBytes]), 2,
        [Hash("left"), Hash("right")]);

    private static Hash256 Hash(string name) => Hash256.Read(Encoding.ASCII.GetBytes(name.PadRight(32, '.')));

    private string Show(string name)
    {
        var text = new StringBuilder(name);
        if (name == "suspense") return text.Append(CultureInfo.InvariantCulture, $" {Number(new Msat(Book.Ledger.Totals.Suspense))}").ToString();
        var w = Book.Ledger.FindWallet(Wallet(name)) ?? throw new InvalidOperationException("no wallet " + name);
        text.Append(CultureInfo.InvariantCulture, $" {Number(w.Available)}");
        foreach (var (label, amount) in new[] { ("held", w.Held), ("frozen", w.Frozen), ("owed", w.Owed), ("pending", w.OwedPending) })
            if (!amount.IsZero) text.Append(CultureInfo.InvariantCulture, $" {label} {Number(amount)}");
        return text.ToString();
    }

    private static string Number(Msat amount) => Amounts.Format(amount, MoneyUnit.Sat).Split(' ')[0];

    private static Msat Amount(string text) =>
        Amounts.TryParse(text, MoneyUnit.Sat, out var amount) ? amount : throw new FormatException(text);

    private static Sats Whole(string text) => Amount(text).RoundDownToSats();

    private string Step(string[] words)
    {
        try
        {
            var (command, tenant) = Parse(words);
            return Book.Apply(command, tenant).Outcome.ToString();
        }
        catch (LedgerInvariantException)
        {
            return "Impossible";
        }
    }

    private (Command Command, uint Tenant) Parse(string[] w)
    {
        // "by x" and "id 7" may follow any command.
        var id = Id(Option(w, "id") ?? $"unnamed {_unnamed++}");
        uint Tenant(string wallet) => TenantOf(Option(w, "by") ?? wallet);
        return w[0] switch
        {
            "wallet" => (new CreateWallet(id, Tenant(w[1]), Wallet(w[1])), Tenant(w[1])),
            "pay" => (ParsePayment(id, w), Tenant(w[1])),
            "hold" => (ParseHold(id, w), Tenant(w[1])),
            "capture" => (ParseCapture(id, w), Tenant(w[2])),
            "release" => (new ReleaseHold(id, Wallet(w[1]), Wallet(w[2]), default, 7, Reference(w), Id(w[3])), Tenant(w[2])),
            "expire" => (new ExpireHold(Wallet(w[1]), Id(w[2])), Ledger.OperatorTenant),
            "refund" => (ParseRefund(id, w), Tenant(w[1])),
            "limits" => (new SetLimits(id, Wallet(w[1]), new SpendingLimits(Amount(w[2]), Amount(w[3]), Amount(w[4]))), Tenant(w[1])),
            "split" => (ParseSplit(id, w), Tenant(w[1])),
            "fees" => (ParseFees(id, w), Ledger.OperatorTenant),
            "address" => (new AssignAddress(id, Wallet(w[1]), AddressPurpose.Deposit, Script(w[2]), Origin(w)), Tenant(w[1])),
            "addresses" => (ParseAddresses(id, w), Tenant(w[1])),
            "rescan" => (new MarkRescan((uint)Long(w[1]), w.Contains("done")), Ledger.OperatorTenant),
            "topup" => (new AssignAddress(id, Wallet(w[1]), AddressPurpose.OperatorTopUp, Script(w[2])), Tenant(w[1])),
            "output" => Seen(w),
            "deposit" => (ParseDeposit(w), Ledger.OperatorTenant),
            "assign" => (new AssignSuspense(id, Output(w[1]), Wallet(w[2])), Ledger.OperatorTenant),
            "settle" => (ParseSettle(id, w), Ledger.OperatorTenant),
            "freeze" or "unfreeze" => (new SetFrozen(id, Wallet(w[1]), w[0] == "freeze"), Tenant(w[1])),
            "withdraw" => (ParseWithdrawal(id, w), Tenant(w[1])),
            "stop" or "resume" => (new StopWithdrawals(id, w[0] == "stop"), Ledger.OperatorTenant),
            "follow" => (new StopWithdrawals(default, w[1] == "stop"), Ledger.OperatorTenant),
            "approve" or "decline" => (new DecideWithdrawal(Id(w[2]), Wallet(w[1]), w[0] == "approve", Key(w)), Ledger.OperatorTenant),
            "cancel" => (new CancelWithdrawal(Id(w[2]), Wallet(w[1])), Tenant(w[1])),
            "late" => (new ExpireWithdrawal(new WithdrawalKey(Wallet(w[1]), Id(w[2]))), Ledger.OperatorTenant),
            "charge" => (new ChargeWithdrawal(new WithdrawalKey(Wallet(w[1]), Id(w[2]))), Ledger.OperatorTenant),
            "family" => (ParseFamily(w), Ledger.OperatorTenant),
            "prepare" => (ParsePrepare(w), Ledger.OperatorTenant),
            "sign" => (ParseSign(w), Ledger.OperatorTenant),
            "confirm" => (ParseConfirm(w), Ledger.OperatorTenant),
            "unconfirm" => (new UnconfirmFamily(Long(w[1])), Ledger.OperatorTenant),
            "finish" => (new FinishFamily(Long(w[1]), Whole(Option(w, "shared") ?? "0"), (int)Long(Option(w, "child") ?? "0")), Ledger.OperatorTenant),
            "abandon" => (new AbandonFamily(Long(w[1])), Ledger.OperatorTenant),
            "die" => (new DeclareFamilyDead(Long(w[1]), ParseSpend(w, "a coin")), Ledger.OperatorTenant),
            "child" => (ParseChild(w), Ledger.OperatorTenant),
            "archive" => (ParseArchive(w), Ledger.OperatorTenant),
            "taken" => (new StopSettlement(Long(w[1]), ParseSpend(w, Option(w, "of") ?? $"tx{w[1]}1")), Ledger.OperatorTenant),
            "cursor" => (new MoveCursor((uint)Long(w[1]), Block(w[2])), Ledger.OperatorTenant),
            "logcut" => (new LogCut(Long(w[1]), [Long(w[2])]), Ledger.OperatorTenant),
            "epochcut" => (new EpochCut(id, Long(w[1])), Ledger.OperatorTenant),
            "state" => (new StateEpoch(Statement(Long(w[1]))), Ledger.OperatorTenant),
            "floor" => (new RaiseFloor(new UnixTime(Book.Now.Milliseconds - Long(w[1]))), Ledger.OperatorTenant),
            "clock" => (new ConfirmClock(), Ledger.OperatorTenant),
            "term" => (new BeginTerm(Long(w[1]), ByteString.FromUtf8(w[2])), Ledger.OperatorTenant),
            _ => throw new FormatException(string.Join(' ', w)),
        };
    }

    internal static EpochStatement Statement(long epoch) =>
        new(epoch, 10 * epoch, 100, Block("B100"), new Hash256(1, (UInt128)epoch), new Msat(1_000 * epoch), new Hash256(2, 3), new Hash256(4, 5));

    private static ByteString Reference(string[] w) => ByteString.FromUtf8(Option(w, "ref") ?? "");

    /// <summary>"pay a b 10 [upto]".</summary>
    private static Transfer ParsePayment(OperationId id, string[] w) => new(id, Wallet(w[1]), Wallet(w[2]), Amount(w[3]), 7, Reference(w))
    {
        UpTo = w.Contains("upto") ? Amount(w[3]) : null,
    };

    /// <summary>"hold a b 10 for 5000 id h": expires in so many milliseconds.</summary>
    private PlaceHold ParseHold(OperationId id, string[] w) => new(
        id, Wallet(w[1]), Wallet(w[2]), Amount(w[3]), 7, Reference(w), new UnixTime(Book.Now.Milliseconds + Long(Option(w, "for") ?? "60000")));

    /// <summary>"capture a b h 10 [close]": out of the hold h that a placed for b; sent by b's owner.</summary>
    private CaptureHold ParseCapture(OperationId id, string[] w) =>
        new(id, Wallet(w[1]), Wallet(w[2]), Amount(w[4]), 7, Reference(w), Id(w[3]), w.Contains("close"));

    /// <summary>"refund b a p 10": of what a paid to b under the id p, which is looked up as a caller does.</summary>
    private RefundPayment ParseRefund(OperationId id, string[] w)
    {
        var sequence = Book.Ledger.FindId(Wallet(w[2]), Id(w[3])) ?? throw new FormatException("no payment " + w[3]);
        // Of a split, the part that the refunding wallet received.
        if (Book.EntryAt(sequence).Command is Split split) sequence += split.Parts.Index().Single(p => p.Item.Payee == Wallet(w[1])).Index;
        var moved = Book.EntryAt(sequence).Moved!.Value;
        Assert.Equal((Id(w[3]), Wallet(w[2]), Wallet(w[1])), (moved.Id, moved.Payer, moved.Payee));
        return new RefundPayment(id, moved.Payee, moved.Payer, Amount(w[4]), 7, Reference(w), sequence, moved.Amount, moved.Id);
    }

    /// <summary>"split a b:10,c:20.5": what a pays to each.</summary>
    private static Split ParseSplit(OperationId id, string[] w)
    {
        var parts = w[2].Split(',').Select(part => part.Split(':'));
        return new Split(id, Wallet(w[1]), [.. parts.Select((p, i) => new SplitPart(Wallet(p[0]), Amount(p[1]), (uint)i, Reference(w), (UInt128)(i + 1)))]);
    }

    /// <summary>"fees 1 flat 0.5 ppm 1000 min 1": what tenant 1 pays.</summary>
    private static SetFees ParseFees(OperationId id, string[] w)
    {
        var parts = int.Parse(Option(w, "ppm") ?? "0", CultureInfo.InvariantCulture);
        return new SetFees(id, (uint)Long(w[1]), new FeeSchedule(Amount(Option(w, "flat") ?? "0"), parts, Amount(Option(w, "min") ?? "0")));
    }

    private static long Long(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private static string? Option(string[] words, string name) =>
        Array.IndexOf(words, name) is var i and > 0 && i + 1 < words.Length ? words[i + 1] : null;

    /// <summary>"address a A [index 7 at 100]": the place of its key, and the height.</summary>
    private static AddressOrigin? Origin(string[] w) =>
        Option(w, "index") is { } index ? new AddressOrigin((uint)Long(index), (uint)Long(Option(w, "at") ?? "0")) : null;

    /// <summary>"addresses a A,B,C [index 7] [at 100]": with indexes in a row.</summary>
    private static AssignAddresses ParseAddresses(OperationId id, string[] w)
    {
        var first = (uint)Long(Option(w, "index") ?? "0");
        return new AssignAddresses(
            id, Wallet(w[1]), AddressPurpose.Deposit, (uint)Long(Option(w, "at") ?? "0"), [.. w[2].Split(',').Select((s, i) => new DerivedAddress(first + (uint)i, Script(s)))]);
    }

    /// <summary>An output as it is first seen: "output d1 of A 100" names its address and its amount.</summary>
    private (Command Command, uint Tenant) Seen(string[] w)
    {
        _outputs[w[1]] = (w[3], Whole(w[4]));
        return (ParseDeposit(["deposit", w[1], "seen"]), Ledger.OperatorTenant);
    }

    /// <summary>"deposit d1 credited [suspense] [in B]": the output was named before.</summary>
    private ChangeDeposit ParseDeposit(string[] w)
    {
        var (address, amount) = _outputs[w[1]];
        return new ChangeDeposit(
            Output(w[1]), Enum.Parse<DepositState>(w[2], ignoreCase: true), w.Contains("suspense"), Script(address), amount,
            Block(Option(w, "in") ?? "B"), 5);
    }

    /// <summary>"withdraw a S 400 [fee 20] [feemax 30] [until 5000] [approval 5 key k]": with a deadline in so many milliseconds;
    /// asked for by the key k, with a second person's approval from 5 on. "uncounted": as it was before they were counted.</summary>
    private RequestWithdrawal ParseWithdrawal(OperationId id, string[] w) =>
        new(id, Wallet(w[1]), Script(w[2]), w[3] == "max" ? Sats.Zero : Whole(w[3]), Max: w[3] == "max")
        {
            Fee = Whole(Option(w, "fee") ?? "0"),
            FeeMax = Option(w, "feemax") is { } feeMax ? Whole(feeMax) : null,
            Deadline = Option(w, "until") is { } until ? new UnixTime(Book.Now.Milliseconds + Long(until)) : null,
            ApprovalFrom = Option(w, "approval") is { } from ? Whole(from) : null,
            AskedBy = Key(w),
            IsUncounted = w.Contains("uncounted"),
        };

    private static ByteString Key(string[] w) => ByteString.FromUtf8(Option(w, "key") ?? "");

    /// <summary>"family 1 cap 10 of a/7,b/8 [anchor 1]": withdrawals by wallet and id.</summary>
    private OpenFamily ParseFamily(string[] w)
    {
        var keys = (Option(w, "of") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries)
            .Select(k => k.Split('/')).Select(k => new WithdrawalKey(Wallet(k[0]), Id(k[1])));
        var anchor = Option(w, "anchor") is { } epoch ? new AnchorTerms(Long(epoch), 10, Hash("root")) : null;
        return new OpenFamily(Long(w[1]), Whole(w[3]), anchor, [.. keys]);
    }

    /// <summary>"prepare 1 2 fee 3": attempt 2 of family 1, to be signed elsewhere.</summary>
    private static PrepareAttempt ParsePrepare(string[] w) => new(
        Long(w[1]), int.Parse(w[2], CultureInfo.InvariantCulture), new Txid(Hash("tx" + w[1] + w[2])), Whole(w[4]), ByteString.FromUtf8("unsigned " + w[2]));

    /// <summary>"sign 1 2 fee 3 [at 100]": attempt 2 of family 1, at a height.</summary>
    private static SignAttempt ParseSign(string[] w) => new(
        Long(w[1]), int.Parse(w[2], CultureInfo.InvariantCulture), new Txid(Hash("tx" + w[1] + w[2])), Whole(w[4]), ByteString.FromUtf8("signed " + w[2]),
        (uint)Long(Option(w, "at") ?? "0"));

    /// <summary>"child 1 2 3 fee 4 [at 100]": child 3 of attempt 2 of family 1, at a height.</summary>
    private static SignChild ParseChild(string[] w) => new(
        Long(w[1]), int.Parse(w[2], CultureInfo.InvariantCulture), int.Parse(w[3], CultureInfo.InvariantCulture), new Txid(Hash($"child{w[1]}{w[3]}")), Whole(w[5]),
        ByteString.FromUtf8("child " + w[3]), (uint)Long(Option(w, "at") ?? "100"));

    /// <summary>"settle d released|reversed [key k]": what the operator says of a frozen deposit.</summary>
    private static SettleDeposit ParseSettle(OperationId id, string[] w) =>
        new(id, Output(w[1]), w[2] == "released", Key(w), ByteString.FromUtf8(Option(w, "why") ?? "forgotten"));

    /// <summary>"archive 1 [keep 2]": family 1, attempt 2 of which is kept in the entry.</summary>
    private static ArchiveFamily ParseArchive(string[] w) =>
        new(Long(w[1]), Option(w, "keep") is { } attempt ? ByteString.FromUtf8("signed " + attempt) : ByteString.Empty);

    /// <summary>"… by x": the transaction x spent an output of another one.</summary>
    private static FinalSpend ParseSpend(string[] w, string spent) =>
        new(new OutPoint(new Txid(Hash(spent)), 1), new Txid(Hash(Option(w, "by") ?? "x")), 120, Block("B120"));
}
