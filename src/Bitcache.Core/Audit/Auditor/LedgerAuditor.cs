// An audit from the first check to the last. Nothing is believed but the pins, SHA-256, Ed25519, work, and what the auditor's own
// node says; the first contradiction ends it and is named.

using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Bitcache.Core.Audit;

public static class LedgerAuditor
{
    /// <summary>How often what is published may have changed under an audit.</summary>
    private const int LooksMax = 3;

    /// <summary>Audits what is published, and whatever else is given.</summary>
    public static AuditReport Run(AuditInputs inputs)
    {
        var steps = new AuditSteps();
        for (var look = 1; ; look++)
        {
            if (Check(inputs, steps, out var next, out var replay)) return new AuditReport(steps.All, null, next, replay);
            var finding = steps.Finding!;
            if (inputs.Settle is not { } settle || look == LooksMax || !finding.MayPass) return new AuditReport(steps.All, finding, null);
            settle();
            steps = new AuditSteps();
            steps.NotChecked($"the first look found {finding.Text} [{finding.Code}]; what is published may have changed while it was read, and was looked at again");
        }
    }

    private static bool Check(AuditInputs inputs, AuditSteps steps, [NotNullWhen(true)] out AuditState? next, out KeptReplay? replay)
    {
        (next, replay) = (null, null);
        if (!CheckPins(inputs, steps, out var pins) || !CheckKeys(inputs, pins, steps, out var keys, out var rotations)) return false;
        var logs = new LogAudit(inputs, pins, keys, steps);
        // In this order: whoever lists epochs later lists all that a checkpoint covers.
        if (!logs.ReadNote() || !ReadIndex(inputs, steps, out var numbers, out var anchored)) return false;
        var known = inputs.State?.Epochs.ToDictionary(e => e.Epoch) ?? [];
        var trees = inputs.Entries is { } auditors ? new AllocatedTrees(inputs, auditors, steps) : null;
        // Without a replay that was kept all of them are looked at again.
        if (numbers.Find(number => inputs.State is { Replay: null } || !known.ContainsKey(number)) is var first and > 0) trees?.Begin(first);
        if (!logs.Check(out var log)) return false;
        if (numbers.Count == 0) steps.NotChecked("balances and reserves: no epoch has been stated yet");
        if (known.Keys.FirstOrDefault(epoch => !numbers.Contains(epoch)) is var gone and > 0)
            return steps.Failed(AuditFault.EpochWithheld, $"epoch {gone} was published at the last audit, and is not now", AuditPaths.Index);
        var last = inputs.Entries is null ? null : KeptReplay.Resume(inputs, pins, log, steps);
        var audit = new EpochAudit(inputs, pins, keys, log, last?.Entries ?? 0, steps);
        var epochs = new List<CheckedEpoch>();
        while (numbers.Count > 0 && !known.ContainsKey(numbers[^1]) && audit.IsBehindLog(numbers[^1], anchored.Contains(numbers[^1])))
        {
            steps.NotChecked($"epoch {numbers[^1]} is listed, and no statement about it is covered by this checkpoint: audit again");
            numbers.RemoveAt(numbers.Count - 1);
        }
        foreach (var number in numbers)
        {
            if (!audit.Check(number, known.GetValueOrDefault(number), number == numbers[^1], out var epoch)) return false;
            epochs.Add(epoch);
        }
        if (epochs.Count > 0 && !epochs.Exists(epoch => epoch.IsProven || epoch.Proof is not null)) steps.NotChecked($"that the operator had the keys of these coins: no {ReservesProof.FileName} is published");
        if (known.Count > 0) steps.Passed($"what was stated about {known.Count} epochs is what it was at the last audit");
        var anchors = new AnchorAudit(inputs, pins, log, steps);
        if (!anchors.Check(epochs, inputs.State)) return false;
        if (!new ReceiptAudit(inputs, pins, keys, log, anchors, steps).Check()) return false;
        var entries = inputs.Entries is { } folder ? new EntriesAudit(inputs, folder, pins, keys, log, epochs, trees!, last, steps) : null;
        if (entries?.Check() == false) return false;
        if (entries is null) steps.NotChecked("that these balances follow from what happened: give the auditors' folder (--entries); each user can check its own balance");
        if (inputs.Chain is { } chain)
        {
            if (!new ChainAudit(inputs, chain, pins, steps).Check(epochs, anchors.Chain, entries?.Cuts)) return false;
            if (entries is not null && !new BookedAudit(inputs, chain, steps).Check(entries.Deposits, entries.Booked)) return false;
        }
        else
        {
            steps.NotChecked("that these blocks are in the best chain and the coins were unspent: give a node that you trust (--node)");
        }
        next = new AuditState(pins, rotations, logs.Note, [.. epochs.Select(e => new AuditedEpoch(e.Statement.Epoch, e.Leaf, anchors.RecordOf(e.Statement.Epoch), e.IsProven, anchors.AnchorOf(e.Statement.Epoch)))], inputs.State?.Replay);
        replay = entries?.Kept(isInChain: inputs.Chain is not null);
        return true;
    }

    /// <summary>What was written down holds for ever; what is shown may add the first anchor.</summary>
    private static bool CheckPins(AuditInputs inputs, AuditSteps steps, [NotNullWhen(true)] out Pins? pins)
    {
        pins = null;
        if (inputs.Published.Read(AuditPaths.Pins, Limits.PinsBytesMax) is not { } file) return steps.Failed(AuditFault.FileMissing, $"{AuditPaths.Pins} is not published");
        if (!Pins.TryParse(Encoding.UTF8.GetString(file), out var shown, out var refusal)) return steps.Failed(AuditFault.FileMalformed, $"{AuditPaths.Pins}: {refusal}", AuditPaths.Pins);
        foreach (var kept in new[] { inputs.Pins, inputs.State?.Pins })
        {
            if (kept is null || kept.IsFollowedBy(shown, out var contradiction)) continue;
            var isAnchor = (kept with { FirstAnchor = shown.FirstAnchor }).Write() == shown.Write();
            return steps.Failed(isAnchor ? AuditFault.SecondFirstAnchor : AuditFault.PinsChanged, contradiction, AuditPaths.Pins, kept.Write());
        }
        pins = shown;
        return inputs.Pins is not null || inputs.State is not null
            ? steps.Passed($"the pins are those that were written down: {pins.Key}")
            : steps.NotChecked($"the pins are those that are published: compare them with what you wrote down ({pins.Key})");
    }

    /// <summary>Each key named the next, from the pinned one on; what was said so stays.</summary>
    private static bool CheckKeys(AuditInputs inputs, Pins pins, AuditSteps steps, [NotNullWhen(true)] out IReadOnlyList<VerifierKey>? keys, out string rotations)
    {
        var file = inputs.Published.Read(AuditPaths.Rotations, Limits.KeyRotationsMax * Limits.KeyRotationNoteBytesMax);
        rotations = file is null ? "" : Encoding.UTF8.GetString(file);
        if (!KeyRotation.TryFollow(rotations, pins.Key, out keys, out var refusal)) return steps.Failed(AuditFault.KeyRotationFalse, refusal, AuditPaths.Rotations);
        if (inputs.State is { } state && !rotations.StartsWith(state.Rotations, StringComparison.Ordinal))
            return steps.Failed(AuditFault.KeysChanged, "the log's key is said to have gone another way than at the last audit: each key names one that follows it", state.Rotations, rotations);
        return keys.Count == 1 || steps.Passed($"the log's key was rotated {keys.Count - 1} times, each time by the word of the key before; it is {keys[^1]} now");
    }

    /// <summary>The epochs that are published, in order.</summary>
    /// <param name="anchored">Those that an anchor in a block is said to cover.</param>
    private static bool ReadIndex(AuditInputs inputs, AuditSteps steps, [NotNullWhen(true)] out List<long>? numbers, out HashSet<long> anchored)
    {
        (numbers, anchored) = (null, []);
        if (inputs.Published.Read(AuditPaths.Index, Limits.PublishedListBytesMax) is not { } file) return steps.Failed(AuditFault.FileMissing, $"{AuditPaths.Index} is not published");
        try
        {
            using var json = JsonDocument.Parse(file);
            var read = json.RootElement.GetProperty("epochs").EnumerateArray().Select(e => (Epoch: e.GetProperty("epoch").GetInt64(), State: e.GetProperty("state").GetString())).ToList();
            for (var i = 1; i < read.Count; i++)
            {
                if (read[i].Epoch <= read[i - 1].Epoch) return steps.Failed(AuditFault.CloseOutOfOrder, string.Create(CultureInfo.InvariantCulture, $"{AuditPaths.Index} has epoch {read[i].Epoch} behind epoch {read[i - 1].Epoch}"), AuditPaths.Index);
            }
            numbers = [.. read.Select(e => e.Epoch)];
            anchored = [.. read.Where(e => e.State is not "pending").Select(e => e.Epoch)];
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            return steps.Failed(AuditFault.FileMalformed, $"{AuditPaths.Index} cannot be read: {e.Message}", AuditPaths.Index);
        }
    }
}
