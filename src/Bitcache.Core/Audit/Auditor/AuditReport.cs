namespace Bitcache.Core.Audit;

/// <summary>What an audit came to.</summary>
/// <param name="Steps">In the order in which they were taken; the last one is what failed, if anything did.</param>
/// <param name="Finding">What does not hold; null if all of it holds.</param>
/// <param name="Next">To be kept for the next audit; null if something does not hold.</param>
/// <param name="Replay">What the next audit with the entries goes on with: whoever keeps it writes what it was kept as into
/// <see cref="AuditState.Replay"/>. Null if there were no entries, or something does not hold.</param>
public sealed record AuditReport(IReadOnlyList<ReceiptStep> Steps, AuditFinding? Finding, AuditState? Next, KeptReplay? Replay = null)
{
    public bool Holds => Finding is null;
}

/// <summary>Steps as they are taken. Nothing is looked at behind the first that fails.</summary>
internal sealed class AuditSteps
{
    private readonly List<ReceiptStep> _steps = [];

    public IReadOnlyList<ReceiptStep> All => _steps;
    public AuditFinding? Finding { get; private set; }

    public bool Passed(string text)
    {
        _steps.Add(new ReceiptStep(StepOutcome.Passed, text));
        return true;
    }

    /// <summary>What would decide it stands in the text.</summary>
    public bool NotChecked(string text)
    {
        _steps.Add(new ReceiptStep(StepOutcome.NotChecked, text));
        return true;
    }

    public bool Failed(AuditFault fault, string text, params IReadOnlyList<string> evidence) => Failed(new AuditFinding(AuditFinding.CodeOf(fault), text, evidence));

    public bool Failed(LiabilityFinding finding, string path) => Failed(new AuditFinding(AuditFinding.CodeOf(finding.Fault), $"{path}: {finding.Text}", [path]));

    public bool Failed(AuditFinding finding)
    {
        _steps.Add(new ReceiptStep(StepOutcome.Failed, finding.Text));
        Finding = finding;
        return false;
    }
}
