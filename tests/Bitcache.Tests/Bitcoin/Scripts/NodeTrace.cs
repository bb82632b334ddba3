// Records what a script asks of a node and what that answers, so that two nodes can be compared. Ids, addresses and
// scripts become names in the order in which they appear; heights are counted from the script's first block; sizes, fees,
// times and the places of outputs are left out, because a wallet may choose them.

using System.Globalization;
using System.Reflection;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Tests.Bitcoin.Scripts;

/// <summary>Stands in front of a node. One call at a time.</summary>
public class NodeTrace : DispatchProxy
{
    private static readonly MethodInfo Follow = typeof(NodeTrace).GetMethod(nameof(FollowAsync), BindingFlags.Instance | BindingFlags.NonPublic)!;

    /// <summary>What every PSBT begins with in base64 (BIP-174).</summary>
    private const string PsbtMark = "cHNidP";

    private readonly List<string> _lines = [];
    private readonly Dictionary<object, string> _names = [];
    // What these get depends on fees, of which nodes need not agree to the satoshi.
    private readonly HashSet<string> _change = [];
    private IBitcoinNode? _node;
    private int _firstHeight;

    public IReadOnlyList<string> Lines => _lines;

    /// <param name="firstHeight">The height of the chain when the script begins.</param>
    public static (IBitcoinNode Seam, NodeTrace Trace) Of(IBitcoinNode node, int firstHeight)
    {
        var seam = Create<IBitcoinNode, NodeTrace>();
        var trace = (NodeTrace)(object)seam;
        (trace._node, trace._firstHeight) = (node, firstHeight);
        return (seam, trace);
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        // Heights are told from the beginning of the script.
        var origin = targetMethod!.Name == nameof(IBitcoinNode.RescanAsync) ? _firstHeight : 0;
        var call = $"{targetMethod.Name.Replace("Async", "", StringComparison.Ordinal)}({string.Join(", ", args!.Select(a => Argument(a, origin)).OfType<string>())})";
        var task = (Task)targetMethod.Invoke(_node, args)!;
        return targetMethod.ReturnType.IsGenericType
            ? Follow.MakeGenericMethod(targetMethod.ReturnType.GetGenericArguments()).Invoke(this, [call, task])
            : FollowAsync(call, DoneAsync(task));
    }

    private async Task<T> FollowAsync<T>(string call, Task<T> task)
    {
        try
        {
            var answer = await task;
            if (answer is string address && call.StartsWith("GetRawChangeAddress", StringComparison.Ordinal)) _change.Add(address);
            _lines.Add($"{call}: {Answer(answer)}");
            return answer;
        }
        catch (NodeException e)
        {
            _lines.Add($"{call}: {e.Failure} {(int)e.Code}");
            throw;
        }
    }

    private static async Task<string> DoneAsync(Task task)
    {
        await task;
        return "done";
    }

    private string? Argument(object? argument, int origin) => argument switch
    {
        Txid or BlockHash => Name(argument),
        int number => (number - origin).ToString(CultureInfo.InvariantCulture),
        uint number => number.ToString(CultureInfo.InvariantCulture),
        string text => IsAddress(text) ? Name(text) : text.StartsWith("tr(", StringComparison.Ordinal) ? "descriptor" : text.Length < 16 ? text : "psbt",
        UnixTime time => time.Milliseconds.ToString(CultureInfo.InvariantCulture),
        IReadOnlyList<string> texts => $"{texts.Count} descriptors",
        OutPoint output => Name(output.Txid),
        IReadOnlyList<OutPoint> outputs => Some(outputs.Select(o => Name(o.Txid))),
        IReadOnlyList<NewOutput> outputs => Some(outputs.Select(o => o is PayOutput pay ? $"{Name(pay.Address)} {pay.Amount}" : "data")),
        _ => null,
    };

    private string Answer(object? answer) => answer switch
    {
        null => "nothing",
        Txid or BlockHash => Name(answer),
        bool yes => yes ? "yes" : "no",
        string text => IsAddress(text) ? Name(text) : text.StartsWith(PsbtMark, StringComparison.Ordinal) ? "psbt" : text,
        byte[] => "bytes",
        Sats amount => amount.ToString(),
        IReadOnlyList<string?> texts => Some(texts.Select(t => t is null ? "taken" : IsAddress(t) ? Name(t) : "one")),
        BlockchainInfo info => $"{info.Chain}, block {info.Blocks - _firstHeight} {Name(info.BestBlock)}, {(info.InitialBlockDownload ? "downloading" : "ready")}",
        WalletInfo info => $"scanning {info.Scanning}, locked {info.Locked}",
        BlockInfo block => $"{Name(block.Hash)} at {block.Height - _firstHeight}, {block.Confirmations} confirmations, after {Name(block.Previous)}",
        AddressInfo info => $"mine {info.IsMine}, change {info.IsChange}, label {info.Label}",
        WalletChanges changes => $"{Entries(changes.Entries)}; removed {Entries(changes.Removed)}; next {Name(changes.LastBlock)}",
        IReadOnlyList<WalletEntry> entries => Some(entries.Select(Entry)),
        WalletTransaction t => $"{Place(t.Confirmations, t.Block, t.Height)}, {(t.Fee is null ? "no fee" : "a fee")}, conflicts {Some(t.Conflicts.Select(c => Name(c)).Order())}, {Entries(t.Entries)}",
        FundedPsbt => "psbt",
        SignedPsbt signed => signed.Transaction is null ? "incomplete" : "complete",
        DecodedPsbt psbt => $"spends {Some(psbt.Inputs.Select(i => Name(i.Output.Txid)))}, pays {Some(psbt.Outputs.Select(Output).Order())}, {(psbt.Fee is null ? "no fee" : "a fee")}",
        BroadcastResult result => $"{result.Outcome}",
        MempoolEntry entry => $"waits, {entry.Descendants} with what spends it{(entry.AncestorVirtualBytes > entry.VirtualBytes && entry.AncestorFees > entry.Fee ? ", and what it spends waits" : "")}",
        WalletBalances b => $"trusted {b.Trusted}, pending {b.UntrustedPending}, immature {b.Immature}",
        IReadOnlyList<Txid> listed => Some(listed.Select(t => Name(t)).Order()),
        IReadOnlyList<WalletDescriptor> descriptors => Some(descriptors.Where(d => d.GivesTaproot).Select(d => $"{d.Range!.Value.First} to {d.Range.Value.Last}, next {d.Next}")),
        IReadOnlyList<MempoolSpend> spends => Some(spends.Select(s => $"{Name(s.Output.Txid)} by {(s.SpentBy is { } by ? Name(by) : "none")}")),
        IReadOnlyList<OutPoint> outputs => Some(outputs.Select(o => Name(o.Txid)).Order()),
        IReadOnlyList<Coin> coins => Some(coins.Select(c => $"{(!IsNamed(c.Address) ? "change" : _change.Contains(c.Address!) ? Name(c.Address) : $"{Name(c.Address)} {c.Amount}")}, {c.Confirmations} confirmations, safe {c.Safe}").Order()),
        _ => throw new ArgumentException($"nothing is known of {answer.GetType().Name}", nameof(answer)),
    };

    private string Place(int confirmations, BlockHash? block, int? height) =>
        $"{confirmations} confirmations{(block is null ? "" : $" in {Name(block)} at {height - _firstHeight}")}";

    // Since a block the node lists in no order; the amounts of a script's payments differ.
    private string Entries(IReadOnlyList<WalletEntry> entries) => Some(entries.OrderBy(e => e.Amount).ThenBy(e => e.Category).ThenBy(e => e.Confirmations).Select(Entry));

    private string Entry(WalletEntry e) =>
        $"{e.Category} {(e.Address is null ? "data" : Name(e.Address))} {e.Amount} by {Name(e.Output.Txid)}, {Place(e.Confirmations, e.Block, e.Height)}{(e.Abandoned ? ", abandoned" : "")}";

    private string Output(PsbtOutput output) =>
        BitcoinAddress.FromScript(output.Script, BitcoinNetwork.Regtest) is not { } address ? "data"
        : IsNamed(address) ? $"{Name(address)}{(_change.Contains(address) ? "" : $" {output.Amount}")}" : "change";

    private static bool IsAddress(string text) => BitcoinAddress.TryParse(text, BitcoinNetwork.Regtest, out _, out _);

    private bool IsNamed(string? address) => address is not null && _names.ContainsKey(address);

    private string Name(object? thing)
    {
        if (thing is null) return "nothing";
        if (_names.TryGetValue(thing, out var name)) return name;
        var kind = thing switch { Txid => "transaction", BlockHash => "block", _ => "address" };
        name = $"{kind} {_names.Values.Count(n => n.StartsWith(kind, StringComparison.Ordinal)) + 1}";
        _names.Add(thing, name);
        return name;
    }

    private static string Some(IEnumerable<string> items) => $"[{string.Join("; ", items)}]";
}
