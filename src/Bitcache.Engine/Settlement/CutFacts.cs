// What was true of the chain when an epoch was cut. Nobody can be asked for it later: it is durable before the cut is.

using System.Text.Json;
using System.Text.Json.Serialization;
using Bitcache.Core;

namespace Bitcache.Engine.Settlement;

/// <summary>A coin at the epoch's block.</summary>
public sealed record ListedCoin(OutPoint Output, Sats Amount, ByteString Script, uint Height);

/// <summary>A withdrawal that was in a block by then, and not final in the ledger: it is paid, and not owed any more.</summary>
public sealed record PaidOut(WalletId Wallet, OutPoint Output, Sats Amount, ByteString Script);

/// <summary>What was true at the block that an epoch is closed by.</summary>
/// <param name="Coins">Unspent there, whatever waited in the mempool.</param>
/// <param name="Paid">By families of which a transaction was in a block by then.</param>
/// <param name="Fees">What mining took for these, of each partition's families.</param>
public sealed record CutFacts(ChainCursor Block, IReadOnlyList<ListedCoin> Coins, IReadOnlyList<PaidOut> Paid, IReadOnlyList<Sats> Fees)
{
    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(
        new CutFile(
            Block.Height, Block.Block.ToString(),
            [.. Coins.Select(c => new CutCoin(c.Output.Txid.ToString(), c.Output.Index, c.Amount.Value, Convert.ToHexStringLower(c.Script.Span), c.Height))],
            [.. Paid.Select(p => new CutPayment(p.Wallet.ToString(), p.Output.Txid.ToString(), p.Output.Index, p.Amount.Value, Convert.ToHexStringLower(p.Script.Span)))],
            [.. Fees.Select(f => f.Value)]),
        CutJson.Default.CutFile);

    /// <exception cref="FormatException">The file is not one that <see cref="Write"/> wrote.</exception>
    public static CutFacts Read(byte[] file)
    {
        try
        {
            var read = JsonSerializer.Deserialize(file, CutJson.Default.CutFile) ?? throw new FormatException("the facts of a cut are empty");
            return new CutFacts(
                new ChainCursor(read.Height, BlockHash.TryParse(read.Block, out var block) ? block : throw new FormatException($"{read.Block} is no block")),
                [.. read.Coins.Select(c => new ListedCoin(Output(c.Txid, c.Vout), new Sats(c.Sats), Script(c.Script), c.Height))],
                [.. read.Paid.Select(p => new PaidOut(WalletId.TryParse(p.Wallet, out var wallet) ? wallet : throw new FormatException($"{p.Wallet} is no wallet"), Output(p.Txid, p.Vout), new Sats(p.Sats), Script(p.Script)))],
                [.. read.Fees.Select(f => new Sats(f))]);
        }
        catch (JsonException e)
        {
            throw new FormatException($"the facts of a cut cannot be read: {e.Message}", e);
        }
    }

    private static OutPoint Output(string txid, uint vout) =>
        new(Txid.TryParse(txid, out var id) ? id : throw new FormatException($"{txid} is no transaction id"), vout);

    private static ByteString Script(string hex) => new(Convert.FromHexString(hex));
}

internal sealed record CutCoin(string Txid, uint Vout, long Sats, string Script, uint Height);

internal sealed record CutPayment(string Wallet, string Txid, uint Vout, long Sats, string Script);

internal sealed record CutFile(uint Height, string Block, CutCoin[] Coins, CutPayment[] Paid, long[] Fees);

[JsonSerializable(typeof(CutFile))]
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true, AllowDuplicateProperties = false)]
internal sealed partial class CutJson : JsonSerializerContext;
