// The coins that stand behind what is owed, as an epoch's reserves.json lists them: each with the transaction that made it and
// the proof that this is in a block, so that nobody has to be asked whether it was there.

using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using Bitcache.Core.Bitcoin;

namespace Bitcache.Core.Audit;

/// <summary>One coin, unspent at the epoch's block.</summary>
/// <param name="Transaction">The one that made it, as nodes exchange it; its witness may be left out.</param>
/// <param name="Header">80 bytes: of the block at <paramref name="Height"/> that holds it.</param>
/// <param name="Position">Of the transaction in that block.</param>
/// <param name="Siblings">Its path to the header's Merkle root.</param>
public sealed record ReserveCoin(
    OutPoint Output, Sats Amount, ByteString Script, uint Height, ByteString Transaction, ByteString Header, int Position,
    IReadOnlyList<Hash256> Siblings)
{
    /// <summary>Empty if transaction, proof and header show that the coin was made as it is listed; otherwise what is wrong.
    /// Whether it is still there, and whether the block is in the best chain, only a node can tell.</summary>
    public string Check(BitcoinNetwork network)
    {
        if (!BitcoinTransaction.TryParse(Transaction.Span, out var transaction) || transaction.Txid != Output.Txid)
            return $"the transaction that is given for coin {Output} is another one";
        if (Output.Index >= transaction.Outputs.Count) return $"coin {Output}: its transaction has no such output";
        var made = transaction.Outputs[(int)Output.Index];
        if (made.Value != Amount || !made.Script.AsSpan().SequenceEqual(Script.Span)) return $"coin {Output} was made with another amount or script";
        if (!BlockHeader.TryParse(Header.Span, out var header) || !header.MeetsTarget(network)) return $"coin {Output}: its block's header shows no work";
        return new BlockProof(transaction.Txid, Position, Siblings).Verify(header.MerkleRoot) ? "" : $"coin {Output} is not in the block that is given";
    }
}

/// <summary>An epoch's reserves.</summary>
/// <param name="Origin">Of the log.</param>
/// <param name="Coins">In ascending order of transaction id, as text, and index.</param>
public sealed record ReservesFile(long Epoch, uint Height, BlockHash Block, string Origin, IReadOnlyList<ReserveCoin> Coins)
{
    public const string Name = "reserves.json";
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 5 };

    /// <summary>What a proof of these reserves commits to (BIP-127).</summary>
    public string Message => MessageOf(Epoch, Block, Origin);

    /// <exception cref="OverflowException">More than can be counted.</exception>
    public Sats Total => new(Coins.Sum(coin => coin.Amount.Value));

    public static string MessageOf(long epoch, BlockHash block, string origin) =>
        string.Create(CultureInfo.InvariantCulture, $"Bitcache reserves of epoch {epoch} of {origin} at block {block}");

    /// <summary>The order in which coins, and withdrawals, are listed.</summary>
    public static int Compare(OutPoint a, OutPoint b) =>
        string.CompareOrdinal(a.Txid.ToString(), b.Txid.ToString()) is var order and not 0 ? order : a.Index.CompareTo(b.Index);

    public byte[] Write()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("epoch", Epoch);
            json.WriteNumber("height", Height);
            json.WriteString("block", Block.ToString());
            json.WriteString("message", Message);
            json.WriteNumber("total_sats", Total.Value);
            json.WriteStartArray("coins");
            foreach (var coin in Coins) Write(json, coin);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads what <see cref="Write()"/> wrote: any other spelling of the same is refused, with the reason in words.</summary>
    /// <param name="origin">Of the log that the file must be about.</param>
    public static bool TryParse(byte[] file, string origin, [NotNullWhen(true)] out ReservesFile? reserves, out string refusal)
    {
        reserves = null;
        try
        {
            using var json = JsonDocument.Parse(file, Strict);
            var root = json.RootElement;
            if (Members(root, 6) is { } wrong)
            {
                refusal = wrong;
                return false;
            }
            var candidate = new ReservesFile(
                root.GetProperty("epoch").GetInt64(), root.GetProperty("height").GetUInt32(),
                BlockHash.TryParse(Text(root, "block"), out var block) ? block : throw new FormatException("a block that is none"), origin,
                [.. root.GetProperty("coins").EnumerateArray().Select(Read)]);
            refusal = candidate.Refusal(file);
            if (refusal.Length == 0) reserves = candidate;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or OverflowException or ArgumentException)
        {
            refusal = $"{Name} cannot be read: {e.Message}";
        }
        return reserves is not null;
    }

    private string Refusal(byte[] file)
    {
        for (var i = 1; i < Coins.Count; i++)
        {
            if (Compare(Coins[i - 1].Output, Coins[i].Output) >= 0) return $"coin {Coins[i].Output} is listed twice, or out of order";
        }
        return file.AsSpan().SequenceEqual(Write()) ? "" : $"{Name} is not written as its format says";
    }

    private static string? Members(JsonElement of, int count) =>
        of.ValueKind == JsonValueKind.Object && of.GetPropertyCount() == count ? null : $"{Name} has members that are missing or unknown";

    private static string Text(JsonElement of, string name) => of.GetProperty(name).GetString() ?? throw new FormatException($"{name} is null");

    private static ReserveCoin Read(JsonElement coin)
    {
        if (Members(coin, 9) is { } wrong) throw new FormatException(wrong);
        ByteString Bytes(string name) => new(Convert.FromHexString(Text(coin, name)));
        return new ReserveCoin(
            new OutPoint(Txid.TryParse(Text(coin, "txid"), out var txid) ? txid : throw new FormatException("a transaction id that is none"), coin.GetProperty("vout").GetUInt32()),
            new Sats(coin.GetProperty("sats").GetInt64()), Bytes("script"), coin.GetProperty("height").GetUInt32(), Bytes("transaction"), Bytes("header"),
            coin.GetProperty("position").GetInt32(),
            [.. coin.GetProperty("siblings").EnumerateArray().Select(hash => Hash256.TryParse(hash.GetString() ?? "", out var sibling) ? sibling : throw new FormatException("a hash that is none"))]);
    }

    private static void Write(Utf8JsonWriter json, ReserveCoin coin)
    {
        json.WriteStartObject();
        json.WriteString("txid", coin.Output.Txid.ToString());
        json.WriteNumber("vout", coin.Output.Index);
        json.WriteNumber("sats", coin.Amount.Value);
        json.WriteString("script", Convert.ToHexStringLower(coin.Script.Span));
        json.WriteNumber("height", coin.Height);
        json.WriteString("transaction", Convert.ToHexStringLower(coin.Transaction.Span));
        json.WriteString("header", Convert.ToHexStringLower(coin.Header.Span));
        json.WriteNumber("position", coin.Position);
        json.WriteStartArray("siblings");
        foreach (var sibling in coin.Siblings) json.WriteStringValue(sibling.ToString());
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
