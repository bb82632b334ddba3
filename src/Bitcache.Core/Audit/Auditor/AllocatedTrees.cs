// The trees of epochs with who has which of their leaves, one after the other. Reading one needs nothing but its files, so that it
// may be read beside the replay that it will be held against. What is found is said when it is asked for: in the same order,
// whether there is a second thread or not.

using System.Diagnostics.CodeAnalysis;

namespace Bitcache.Core.Audit;

/// <param name="steps">Of the audit: its own thread's alone.</param>
internal sealed class AllocatedTrees(AuditInputs inputs, IAuditFolder entries, AuditSteps steps)
{
    private readonly LiabilityTrees _trees = new(inputs);
    private Reading? _begun;

    /// <summary>Begins to read an epoch's tree. There is one at a time: each takes much memory.</summary>
    public void Begin(long epoch)
    {
        _begun?.Wait();
        var reading = new Reading();
        reading.Wait = inputs.Beside(() => Read(epoch, reading));
        (reading.Epoch, _begun) = (epoch, reading);
    }

    /// <summary>The tree of an epoch, which is what was stated, and each leaf of which is one wallet's chunk.</summary>
    public bool TryTake(EpochStatement statement, [NotNullWhen(true)] out LiabilityAudit? audit)
    {
        audit = null;
        if (_begun?.Epoch != statement.Epoch) Begin(statement.Epoch);
        inputs.Progress("epoch", statement.Epoch, statement.Epoch);
        var reading = _begun!;
        _begun = null;
        reading.Wait();
        if (reading.Tree is null) return steps.Failed(reading.Steps.Finding!);
        if (!LiabilityTrees.IsStated(reading.Tree, statement, steps)) return false;
        audit = reading.Audit;
        return audit is not null || steps.Failed(reading.Steps.Finding!);
    }

    private void Read(long epoch, Reading reading)
    {
        if (!_trees.TryRead(epoch, reading.Steps, out reading.Tree)) return;
        var (path, keysPath) = (AuditPaths.Of(epoch, AuditPaths.Allocation), AuditPaths.Of(epoch, AuditPaths.Keys));
        var keys = new LiabilityKeys();
        if (!TryRead(keysPath, Limits.KeysFileBytesMax, keys.Add, reading.Steps)) return;
        if (!keys.Finish())
        {
            reading.Steps.Failed(keys.Finding!, keysPath);
            return;
        }
        var audit = new LiabilityAudit(reading.Tree, keys);
        if (!TryRead(path, Limits.AllocationFileBytesMax, audit.Add, reading.Steps)) return;
        if (audit.Finish()) reading.Audit = audit;
        else reading.Steps.Failed(audit.Finding!, path);
    }

    private bool TryRead(string path, long bytesMax, PieceTaker pieces, AuditSteps found) =>
        entries.Read(path, bytesMax, pieces) || found.Failed(AuditFault.FileMissing, $"{path} is not in the auditors' folder", path);

    /// <summary>Written by whoever reads, until the wait for it is over.</summary>
    private sealed class Reading
    {
        public PublishedLiabilities? Tree;

        public long Epoch { get; set; }
        public LiabilityAudit? Audit { get; set; }
        /// <summary>What is wrong with the tree, if there is none, or else with who has which leaf.</summary>
        public AuditSteps Steps { get; } = new();
        public Action Wait { get; set; } = static () => { };
    }
}
