// Options and arguments that several commands share, each read strictly: what is mistyped is refused before
// anything is sent.

using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics.CodeAnalysis;
using Bitcache.Cli.Client;
using Bitcache.Core;

namespace Bitcache.Cli.Commands;

/// <summary>An amount in whole satoshis; null stands for all that is available.</summary>
internal sealed record SatsOrMax(Sats? Amount);

internal static class Inputs
{
    private const string UnitsHelp = "a number and its unit: 0.25Bits, 25sat, 250msat or 0.001BTC (1 Bit is 100 sat)";

    public static Argument<WalletId> Wallet(string name = "wallet", string description = "The wallet (bcw1…).") => new(name)
    {
        Description = description,
        CustomParser = ReadWallet,
    };

    public static Option<WalletId> WalletOption(string description) => new("--wallet")
    {
        Description = description,
        HelpName = "bcw1…",
        Required = true,
        CustomParser = ReadWallet,
    };

    public static Option<OperationId?> Id() => new("--id")
    {
        Description = "The id of an earlier attempt whose outcome is unknown: the same id does nothing twice. Without it a new one is made.",
        HelpName = "UUIDv7",
        CustomParser = result => ReadId(result),
    };

    public static Argument<OperationId> IdArgument(string description) => new("id")
    {
        Description = description,
        CustomParser = ReadId,
    };

    public static Argument<Msat> Amount() => new("amount")
    {
        Description = "What to pay: " + UnitsHelp + ".",
        CustomParser = result => ReadAmount(result, Text(result)),
    };

    public static Argument<SatsOrMax> SatsOrMax() => new("amount")
    {
        Description = "What to send, in whole satoshis: 25Bits, 2500sat or 0.001BTC (1 Bit is 100 sat); "
            + "or max for all whole satoshis that are available: what is below a satoshi stays.",
        CustomParser = result =>
        {
            if (Text(result) == "max") return new SatsOrMax(null);
            var amount = ReadAmount(result, Text(result));
            if (amount.Value % Limits.MsatPerSat != 0) result.AddError($"'{Text(result)}' is not a whole number of satoshis, as Bitcoin wants it");
            return new SatsOrMax(amount.RoundDownToSats());
        },
    };

    /// <summary>The address of something that speaks HTTP.</summary>
    public static Option<Uri> Url(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "address",
        CustomParser = result =>
        {
            if (TryReadUrl(Text(result), out var url)) return url;
            result.AddError($"'{Text(result)}' is no http or https address");
            return null;
        },
    };

    public static bool TryReadUrl(string text, [NotNullWhen(true)] out Uri? url) =>
        Uri.TryCreate(text, UriKind.Absolute, out url) && url.Scheme is "http" or "https";

    public static Option<int?> Limit() => new("--limit") { Description = $"How many lines, at most {Limits.HistoryPageMax}." };

    public static Option<long?> Before() => new("--before") { Description = "Go on before this place, as the page before said." };

    public static Paging Paging(this Session session, Option<long?> before, Option<int?> limit) => new(session.Get(before), session.Get(limit));

    private delegate bool Reader<T>(ReadOnlySpan<char> text, out T value);

    private static WalletId ReadWallet(ArgumentResult result) =>
        Read<WalletId>(result, WalletId.TryParse, "is no wallet's name: its check characters do not match");

    private static OperationId ReadId(ArgumentResult result) => Read<OperationId>(result, OperationId.TryParse, "is no UUID of version 7");

    private static Msat ReadAmount(ArgumentResult result, string text)
    {
        if (Amounts.TryParse(text, unitless: null, out var amount) && amount > Msat.Zero) return amount;
        if (Amounts.TryParse(text, unitless: MoneyUnit.Msat, out amount) && amount == Msat.Zero)
        {
            result.AddError($"'{text}': the amount must be more than 0");
            return default;
        }
        result.AddError($"'{text}' is no amount: write {UnitsHelp}, with no more decimals than make a millisatoshi");
        return default;
    }

    private static T Read<T>(ArgumentResult result, Reader<T> read, string refusal)
    {
        var text = Text(result);
        if (!read(text, out var value)) result.AddError($"'{text}' {refusal}");
        return value;
    }

    private static string Text(ArgumentResult result) => result.Tokens.Single().Value;
}
