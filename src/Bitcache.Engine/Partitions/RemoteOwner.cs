// The two ends of the way between the processes of a cluster: here whoever wants something of a partition that is written
// elsewhere, there whoever has it. What lies between them carries bytes and knows nothing of the ledger.

using System.Diagnostics;
using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

/// <summary>Takes a question to the process that has a partition, and brings its answer back.</summary>
/// <exception cref="PartitionElsewhereException">It came to nobody who could take it. Whatever else is thrown, it may have.</exception>
public delegate Task<byte[]> QuestionCarrier(int partition, byte[] question);

/// <summary>The partitions that other processes have.</summary>
/// <param name="patience">How long it goes on asking while nobody has a partition, because it is just handed on: nothing was
/// applied until then.</param>
public sealed class RemoteOwner(QuestionCarrier carry, TimeProvider time, TimeSpan patience) : IPartitionOwner
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(20);

    public async Task<Answer> SubmitAsync(int partition, Command command, uint tenant, long term) =>
        await AskAsync(partition, OwnerMessages.Of(command, tenant, term), static (partition, answer) => OwnerMessages.ReadAnswer(partition, answer));

    public async ValueTask<PaymentAnswer> SubmitAsync(int partition, Payment payment, uint tenant) =>
        await AskAsync(partition, OwnerMessages.Of(payment, tenant), static (partition, answer) => OwnerMessages.ReadPaymentAnswer(partition, answer));

    public async ValueTask SubmitAsync(int partition, PaymentBlock block) => await AskAsync(partition, OwnerMessages.Of(block), (_, answer) =>
    {
        OwnerMessages.ReadResults(partition, answer, block);
        return true;
    });

    public Task<bool> ConfirmClockAsync(int partition) =>
        AskAsync(partition, OwnerMessages.ConfirmClock(), static (partition, answer) => OwnerMessages.ReadConfirmed(partition, answer));

    public Task<LedgerTime> TimeAsync(int partition) =>
        AskAsync(partition, OwnerMessages.Time(), static (partition, answer) => OwnerMessages.ReadTime(partition, answer));

    private async Task<T> AskAsync<T>(int partition, byte[] question, Func<int, byte[], T> read)
    {
        for (var begun = Stopwatch.GetTimestamp(); ; await Task.Delay(RetryAfter, time))
        {
            try
            {
                return read(partition, await carry(partition, question));
            }
            catch (PartitionElsewhereException) when (Stopwatch.GetElapsedTime(begun) < patience)
            {
            }
            catch (PartitionElsewhereException)
            {
                throw new PartitionUnavailableException(Unavailable.Busy);
            }
            catch (Exception e) when (e is not (PartitionUnavailableException or OutcomeUnknownException))
            {
                // It is out, and no answer to it is to be had.
                throw new OutcomeUnknownException(e);
            }
        }
    }
}

/// <summary>The partitions that this process has, for the others: what comes to one that is not here is never sent on, or two
/// processes might do so for ever.</summary>
public sealed class OwnPartitions(IReadOnlyList<Partition> partitions) : IPartitionOwner
{
    /// <summary>Answers another process's <see cref="RemoteOwner"/>. Throws nothing.</summary>
    public Task<byte[]> AnswerAsync(int partition, ReadOnlyMemory<byte> question) => OwnerMessages.AnswerAsync(this, partition, question);

    public Task<Answer> SubmitAsync(int partition, Command command, uint tenant, long term) =>
        TakeAsync(partition, writer => writer.SubmitAsync(command, tenant, term));

    public ValueTask<PaymentAnswer> SubmitAsync(int partition, Payment payment, uint tenant) =>
        new(TakeAsync(partition, writer => writer.SubmitAsync(payment, tenant).AsTask()));

    public ValueTask SubmitAsync(int partition, PaymentBlock block) => new(TakeAsync(partition, async writer =>
    {
        await writer.SubmitAsync(block);
        return true;
    }));

    public Task<bool> ConfirmClockAsync(int partition) => TakeAsync(partition, writer => writer.ConfirmClockAsync());

    public Task<LedgerTime> TimeAsync(int partition) => TakeAsync(partition, writer => writer.TimeAsync());

    private async Task<T> TakeAsync<T>(int partition, Func<Partition, Task<T>> take)
    {
        var writer = partitions[partition] is SharedPartition shared ? shared.Writer : partitions[partition];
        try
        {
            return await take(writer ?? throw new PartitionElsewhereException(partition));
        }
        catch (PartitionUnavailableException e) when (e.Reason == Unavailable.Stopping)
        {
            // It is just handed on, or the process ends: it goes on elsewhere.
            throw new PartitionElsewhereException(partition);
        }
    }
}
