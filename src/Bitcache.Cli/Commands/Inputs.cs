// Options and arguments that several commands share, each read strictly: what is mistyped is refused before
// anything is sent.

using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Bitcache.Cli.Client;
using Bitcache.Core;

namespace Bitcache.Cli.Commands;

/// <summary>An amount in whole satoshis; null stands for all that is available.</summary>
internal sealed record SatsOrMax(Sats? Amount);

/// <summary>One payee of a split.</summary>
internal readonly record struct PartOfSplit(WalletId Payee, Msat Amount);

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

    public static Option<WalletId?> OptionalWallet(string description) => new("--wallet")
    {
        Description = description,
        HelpName = "bcw1…",
        CustomParser = result => ReadWallet(result),
    };

    public static Option<Hash256?> Hash(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "hex",
        CustomParser = result => Read<Hash256>(result, Hash256.TryParse, "is not 32 bytes in hex"),
    };

    public static Option<OperationId?> Id() => new("--id")
    {
        Description = "The id of an earlier attempt whose outcome is unknown: the same id does nothing twice. Without it a new one is made.",
        HelpName = "UUIDv7",
        CustomParser = result => ReadId(result),
    };

    public static Argument<OperationId> IdArgument(string description, string name = "id") => new(name)
    {
        Description = description,
        CustomParser = ReadId,
    };

    public static Argument<Msat> Amount() => new("amount")
    {
        Description = "What to pay: " + UnitsHelp + ".",
        CustomParser = result => ReadAmount(result, Text(result)),
    };

    public static Option<Msat?> AmountOption(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "amount",
        CustomParser = result => ReadAmount(result, Text(result)),
    };

    public static Option<uint> Code() => new("--code") { Description = "A number of your choice, kept with the payment." };

    public static Option<string> Reference() => new("--reference")
    {
        Description = $"A text of your choice, kept with the payment: at most {Limits.ReferenceBytesMax} bytes.",
        DefaultValueFactory = _ => "",
    };

    public static Option<string> Reason() => new("--reason")
    {
        Description = $"Why, for the journal: at most {Limits.ReferenceBytesMax} bytes.",
        Required = true,
    };

    /// <summary>The payees of a split and what each is paid.</summary>
    public static Argument<PartOfSplit[]> Parts() => new("part")
    {
        Description = $"A payee and what it is paid, as bcw1…=0.25Bits; from 1 to {Limits.SplitPayeesMax} of them.",
        Arity = new ArgumentArity(1, Limits.SplitPayeesMax),
        CustomParser = result => [.. result.Tokens.Select(token => ReadPart(result, token.Value))],
    };

    /// <summary>For how long a hold is open.</summary>
    public static Option<TimeSpan> HoldTime() => new("--for")
    {
        Description = "For how long: 90s, 15m, 24h or 7d, at most 31d.",
        HelpName = "time",
        DefaultValueFactory = _ => TimeSpan.FromDays(1),
        CustomParser = result =>
        {
            if (TryReadTime(Text(result), out var time) && time > TimeSpan.Zero && time.TotalMilliseconds <= Limits.HoldMillisecondsMax) return time;
            result.AddError($"'{Text(result)}' is no time that a hold may be open: 90s, 15m, 24h or 7d, at most 31d");
            return default;
        },
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

    public static Option<int?> Count(int most, string description) => new("--count")
    {
        Description = $"{description}; at most {most}.",
        HelpName = "number",
        CustomParser = result =>
        {
            if (int.TryParse(Text(result), NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count >= 1 && count <= most) return count;
            result.AddError($"'{Text(result)}' is no number from 1 to {most}");
            return null;
        },
    };

    public static Option<int?> Limit() => new("--limit") { Description = $"How many lines, at most {Limits.HistoryPageMax}." };

    public static Option<long?> Before() => new("--before") { Description = "Go on before this place, as the page before said." };

    public static Paging Paging(this Session session, Option<long?> before, Option<int?> limit) => new(session.Get(before), session.Get(limit));

    private delegate bool Reader<T>(ReadOnlySpan<char> text, out T value);

    private static PartOfSplit ReadPart(ArgumentResult result, string text)
    {
        var cut = text.IndexOf('=', StringComparison.Ordinal);
        if (cut >= 0 && WalletId.TryParse(text.AsSpan(0, cut), out var payee)) return new PartOfSplit(payee, ReadAmount(result, text[(cut + 1)..]));
        result.AddError($"'{text}' is no part of a split: write bcw1…=0.25Bits, a wallet's name and what it is paid");
        return default;
    }

    private static bool TryReadTime(string text, out TimeSpan time)
    {
        time = default;
        if (text.Length < 2 || !int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return false;
        var unit = text[^1] switch
        {
            's' => TimeSpan.FromSeconds(1),
            'm' => TimeSpan.FromMinutes(1),
            'h' => TimeSpan.FromHours(1),
            'd' => TimeSpan.FromDays(1),
            _ => TimeSpan.Zero,
        };
        // More than the calendar has is more than a hold may take.
        time = unit * Math.Min(number, int.MaxValue / 256);
        return unit > TimeSpan.Zero;
    }

    /// <summary>An output of a transaction.</summary>
    public static Argument<OutPoint> OutPoint(string description) => new("output")
    {
        Description = description,
        CustomParser = result =>
        {
            var text = Text(result);
            var cut = text.IndexOf(':', StringComparison.Ordinal);
            if (cut > 0 && Txid.TryParse(text.AsSpan(0, cut), out var txid)
                && uint.TryParse(text.AsSpan(cut + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var index)) return new OutPoint(txid, index);
            result.AddError($"'{text}' is no output: write txid:index, as 'bitcache suspense' or 'bitcache frozen' shows it");
            return default;
        },
    };

    /// <summary>A file that the command line names.</summary>
    /// <exception cref="CommandFailedException">It is not there, is longer, or cannot be read.</exception>
    public static byte[] ReadFile(string path, int bytesMax)
    {
        try
        {
            if (new FileInfo(path).Length > bytesMax) throw new CommandFailedException($"{path} has more than {bytesMax} bytes");
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"{path} cannot be read: {e.Message}");
        }
    }

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
