using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

/// <summary>What a command came to. Given only when everything it rests on is durable.</summary>
/// <param name="Outcome">Never <see cref="Core.Outcome.Known"/>: a retry gets the outcome of the first time, or
/// <see cref="Core.Outcome.IdReused"/> when it asks for something else.</param>
/// <param name="Entry">The journaled entry, of the first time for a retry; null when nothing was journaled.</param>
/// <param name="Owner">The debited or owning wallet, as it is now.</param>
/// <param name="Payee">The credited wallet, as it is now.</param>
/// <param name="IsRetry">Whether the id was known: this is the first answer again.</param>
public sealed record Answer(Outcome Outcome, Entry? Entry, Wallet? Owner, Wallet? Payee, bool IsRetry = false)
{
    /// <summary>Of a split: the credited wallets in the order of its parts, as they are now.</summary>
    public IReadOnlyList<Wallet?> Payees { get; init; } = [];

    /// <summary>The journal record of <see cref="Entry"/>; empty when nothing was journaled.</summary>
    internal ReadOnlyMemory<byte> Record { get; init; }
}

/// <summary>Why a command was not taken up. Nothing was applied: a retry is safe.</summary>
public enum Unavailable
{
    /// <summary>The queue is full.</summary>
    Busy,
    /// <summary>No room could be allocated for the journal; reads go on.</summary>
    StorageFull,
    /// <summary>The server is shutting down.</summary>
    Stopping,
}

/// <summary>The command was not applied; a retry with the same id is safe.</summary>
public sealed class PartitionUnavailableException(Unavailable reason) : Exception($"the partition takes no commands now: {reason}")
{
    public Unavailable Reason => reason;
}

/// <summary>The command may or may not have been applied; a retry with the same id tells.</summary>
public sealed class OutcomeUnknownException(Exception cause)
    : Exception("whether the command was applied is unknown until the journal is read again", cause);
