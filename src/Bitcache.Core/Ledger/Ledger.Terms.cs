// Who settles: the newest term, under which alone the settlement's commands are taken.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    /// <summary>The newest term; null before the first was begun.</summary>
    public BeginTerm? LastTerm { get; private set; }

    /// <summary>Its number, which the settlement's commands must name.</summary>
    public long Term => LastTerm?.Term ?? 0;

    /// <summary>The operator's own wallet has an account in every partition, all of which are frozen or none: so that is the
    /// settlement's, too.</summary>
    private bool IsUnderTerm(Command command) => command.IsUnderTerm || (command is SetFrozen frozen && frozen.Wallet == Genesis!.Operator);

    private ApplyResult ApplyBeginTerm(BeginTerm command, in ApplyContext context, Span<byte> record)
    {
        // Two that take over at once ask for the same number: whoever comes second has lost.
        if (command.Term <= Term) return Refused(Outcome.TermOver);
        // After this point nobody else settles.
        LastTerm = command;
        return Write(EntryType.TermBegun, command, context, record).Finish();
    }
}
