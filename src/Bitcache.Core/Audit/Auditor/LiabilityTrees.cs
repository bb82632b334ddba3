// The published trees of liabilities, one after the other.

using System.Diagnostics.CodeAnalysis;

namespace Bitcache.Core.Audit;

internal sealed class LiabilityTrees(AuditInputs inputs)
{
    private const int LargeLeavesMin = 1 << 18;
    private bool _wasLarge;

    /// <summary>Reads an epoch's tree, every row of which holds.</summary>
    public bool TryRead(long epoch, AuditSteps steps, [NotNullWhen(true)] out PublishedLiabilities? tree)
    {
        // A tree of a million wallets is a quarter of a gigabyte. Left to itself the collector lets several of them pile up.
        if (_wasLarge) GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true);
        var path = AuditPaths.Of(epoch, AuditPaths.Liabilities);
        var reader = new LiabilityCsvReader();
        tree = null;
        if (!inputs.Published.Read(path, Limits.LiabilitiesFileBytesMax, reader.Add)) return steps.Failed(AuditFault.FileMissing, $"{path} is not published", path);
        tree = reader.Finish();
        if (tree is null) return steps.Failed(reader.Finding!, path);
        _wasLarge = tree.Leaves >= LargeLeavesMin;
        return true;
    }

    /// <summary>Holds it against what was stated.</summary>
    public static bool IsStated(PublishedLiabilities tree, EpochStatement statement, AuditSteps steps)
    {
        var path = AuditPaths.Of(statement.Epoch, AuditPaths.Liabilities);
        if (tree.Root.Hash != statement.LiabilitiesRoot || tree.Root.Sum != statement.Total || tree.Height != statement.Height)
            return steps.Failed(AuditFault.LiabilitiesNotStated, $"{path} comes to {tree.Root.Sum} under the root {tree.Root.Hash} at height {tree.Height}; stated were {statement.Total} under {statement.LiabilitiesRoot} at {statement.Height}", path, AuditPaths.Of(statement.Epoch, AuditPaths.Close));
        return steps.Passed($"epoch {statement.Epoch}: all sums and hashes over {tree.Leaves} leaves were computed anew and come to {Amounts.Format(statement.Total, MoneyUnit.Bits)}, as was stated in the log");
    }
}
