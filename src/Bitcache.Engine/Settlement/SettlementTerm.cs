// The right to settle. In a cluster two processes may both believe for a moment that settlement is theirs: commands of the
// settlement carry a term, which the ledger holds against the newest one, so that what the late one of them sends is refused
// before any rule that only one who knows the newest state can keep.

using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Engine.Settlement;

/// <summary>Another process settles now. Nothing of the command was applied; whoever gets it must end.</summary>
public sealed class TermOverException(long term) : Exception($"term {term} is over: settlement has been taken over by another process");

/// <summary>All partitions as the settlement sees them: it asks them, and changes them under its term.</summary>
/// <param name="partitions">Of the whole ledger.</param>
/// <param name="number">The term; 0 where nobody has ever begun one.</param>
public sealed class SettlementTerm(PartitionSet partitions, long number = 0)
{
    private readonly TaskCompletionSource<Exception?> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Done when whoever has the term must not go on: another has the next one (<see cref="TermOverException"/>), or what
    /// became of a command is unknown, and only a new beginning from what is journaled can tell.</summary>
    public Task<Exception?> End => _end.Task;

    public PartitionSet Partitions => partitions;
    public long Number => number;

    /// <summary>Takes settlement over. Whoever had it before learns so with its next command; what it had sent until then is
    /// durable before a question asked from here on is answered. Whoever has it already goes on: it is the only one of its name.</summary>
    /// <param name="silo">A name that no other process has or had. A ledger of one node begins in the hands of whoever has
    /// no name, and its journals' writers exclude each other: so a single node never begins a term.</param>
    /// <exception cref="TermOverException">Somebody else took it over in the same moment.</exception>
    /// <exception cref="PartitionUnavailableException">Not now: perhaps no partition knows of the term, perhaps some do.</exception>
    public static async Task<SettlementTerm> TakeOverAsync(PartitionSet partitions, ByteString silo)
    {
        var terms = await partitions.QueryAllAsync(ledger => ledger.LastTerm);
        if (terms.All(term => term == terms[0]) && (terms[0]?.Silo ?? ByteString.Empty) == silo) return new SettlementTerm(partitions, terms[0]?.Term ?? 0);
        var (last, number) = (partitions.Count - 1, terms.Max(term => term?.Term ?? 0) + 1);
        // Of two with the same number one is first in the last partition, and the other gets no further. The first partition
        // comes last: where it is begun there, it is begun everywhere.
        await BeginAsync(partitions[last], number, silo);
        if (last > 0)
        {
            await Task.WhenAll(Enumerable.Range(1, last - 1).Select(at => BeginAsync(partitions[at], number, silo)));
            await BeginAsync(partitions.First, number, silo);
        }
        return new SettlementTerm(partitions, number);
    }

    /// <summary>Submits a command under the term; see <see cref="Partition.SubmitAsync(Command, uint, long)"/>.</summary>
    /// <exception cref="TermOverException">Another process settles now.</exception>
    public async Task<Answer> SubmitAsync(Partition partition, Command command, uint tenant = Ledger.OperatorTenant)
    {
        ThrowIfEnded();
        try
        {
            var answer = await partition.SubmitAsync(command, tenant, number);
            return answer.Outcome == Outcome.TermOver ? throw new TermOverException(number) : answer;
        }
        catch (Exception e) when (e is TermOverException or OutcomeUnknownException)
        {
            _end.TrySetResult(e);
            throw;
        }
    }

    /// <summary>For whoever has nothing to change, and would not learn of it.</summary>
    /// <exception cref="TermOverException">Another process settles now.</exception>
    public async Task CheckAsync()
    {
        ThrowIfEnded();
        if (await partitions.First.QueryAsync(ledger => ledger.LastTerm?.Term ?? 0) == number) return;
        var over = new TermOverException(number);
        _end.TrySetResult(over);
        throw over;
    }

    /// <summary>The same in the first partition.</summary>
    /// <exception cref="TermOverException">Another process settles now.</exception>
    public Task<Answer> SubmitAsync(Command command) => SubmitAsync(partitions.First, command);

    /// <summary>What became of a command before is not known here: nothing may be built on it.</summary>
    private void ThrowIfEnded()
    {
        if (_end.Task.IsCompleted) throw new TermOverException(number);
    }

    private static async Task BeginAsync(Partition partition, long number, ByteString silo)
    {
        if ((await partition.SubmitAsync(new BeginTerm(number, silo))).Outcome == Outcome.TermOver) throw new TermOverException(number);
    }
}
