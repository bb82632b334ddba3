// What a process of a cluster asks of the one that has a partition, and what it is answered, as bytes. Both are of one version of
// the format; a process that does not know it takes nothing.
//
//   question   0  u8   version (1)
//              1  u8   what: 1 a command, 2 a payment, 3 many payments, 4 an operator's word that the clock is right,
//                    5 what time it is
//              2  u32  tenant
//              6       a command: i64 settlement's term, the command (SentCommand.cs)
//                      a payment: it (SentPayment.cs)
//                      many: u16 how many, each
//                      4 and 5: nothing
//
//   answer     0  u8   version (1)
//              1  u8   what: 1 what came of it, 2 whoever was asked does not have the partition, 3 it takes nothing now,
//                      4 nobody knows what came of it
//              2       1 of a command: u16 outcome, u8 whether it is a retry, u32 length and bytes of the record, wallet of the
//                        owner, wallet of the payee, u8 how many wallets of payees, each
//                      1 of a payment: u16 outcome, i64 sequence, i64 time, u8 whether it is a retry, u64 msat moved, u64 fee,
//                        u64 given back, wallet of the payer, wallet of the payee
//                      1 of many: each result
//                      1 of 4: u8 whether the word is taken; of 5: i64 time, u8 whether the clock is trusted
//                      3: u8 why (Unavailable); 4: u8 length and what was caught, in UTF-8
//
//   wallet     0  u8   whether there is one; then its row (Wallet.cs)

using System.Text;
using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

/// <summary>Something went wrong where a partition is written; this is what was caught there.</summary>
public sealed class PartitionOwnerException(string message) : Exception(message);

/// <summary>Whoever was asked does not have the partition, or not any more: nothing was applied, and the one who has it may
/// be asked.</summary>
public sealed class PartitionElsewhereException(int partition) : Exception($"partition {partition} is written by another process");

internal static class OwnerMessages
{
    private const byte Version = 1;
    private const int QuestionHeaderBytes = 6;
    private const int AnswerHeaderBytes = 2;
    private const int WalletBytesMax = 1 + Wallet.Bytes;

    private enum Question : byte
    {
        Command = 1,
        Payment = 2,
        Block = 3,
        ConfirmClock = 4,
        Time = 5,
    }

    private enum Reply : byte
    {
        Answer = 1,
        Elsewhere = 2,
        Unavailable = 3,
        Unknown = 4,
    }

    public static byte[] Of(Command command, uint tenant, long term)
    {
        var sent = SentCommand.ToArray(command);
        var bytes = new byte[QuestionHeaderBytes + sizeof(long) + sent.Length];
        var writer = Begin(bytes, Question.Command, tenant);
        writer.I64(term);
        writer.Raw(sent);
        return bytes;
    }

    public static byte[] Of(in Payment payment, uint tenant)
    {
        Span<byte> bytes = stackalloc byte[QuestionHeaderBytes + SentPayment.BytesMax];
        var writer = Begin(bytes, Question.Payment, tenant);
        SentPayment.Write(ref writer, payment);
        return bytes[..writer.Position].ToArray();
    }

    public static byte[] Of(PaymentBlock block)
    {
        using var rented = new Rented(QuestionHeaderBytes + 2 + (block.Count * SentPayment.BytesMax));
        var writer = Begin(rented.Bytes, Question.Block, block.Tenant);
        writer.U16(block.Count);
        foreach (ref readonly var payment in block.Payments[..block.Count]) SentPayment.Write(ref writer, payment);
        return rented.Bytes[..writer.Position].ToArray();
    }

    public static byte[] ConfirmClock() => Of(Question.ConfirmClock);

    public static byte[] Time() => Of(Question.Time);

    /// <summary>Puts a question to an owner, and gives what is to be sent back. Throws nothing.</summary>
    public static async Task<byte[]> AnswerAsync(IPartitionOwner owner, int partition, ReadOnlyMemory<byte> question)
    {
        Func<Task<byte[]>> asked;
        try
        {
            asked = Read(owner, partition, question.Span);
        }
        catch (FormatException)
        {
            // Of another version: whoever knows it takes it when he has the partition.
            return [Version, (byte)Reply.Unavailable, (byte)Unavailable.Busy];
        }
        try
        {
            return await asked();
        }
        catch (PartitionElsewhereException)
        {
            return [Version, (byte)Reply.Elsewhere];
        }
        catch (PartitionUnavailableException e)
        {
            return [Version, (byte)Reply.Unavailable, (byte)e.Reason];
        }
#pragma warning disable CA1031 // Whatever it is, only this is known of it elsewhere.
        catch (Exception e)
        {
            return Unknown(e);
        }
#pragma warning restore CA1031
    }

    public static Answer ReadAnswer(int partition, ReadOnlySpan<byte> answer)
    {
        var reader = Begin(partition, answer);
        var (outcome, isRetry, record) = (reader.U16<Outcome>(), reader.Flag(), reader.Long(Limits.RecordBytesMax));
        var (owner, payee) = (ReadWallet(ref reader), ReadWallet(ref reader));
        var payees = new Wallet?[reader.Items(reader.U8(), 1, Limits.SplitPayeesMax)];
        for (var i = 0; i < payees.Length; i++) payees[i] = ReadWallet(ref reader);
        reader.End();
        return new Answer(outcome, record.Length == 0 ? null : Entry.Read(record.Span), owner, payee, isRetry)
        {
            Payees = payees,
            Record = record.Span.ToArray(),
        };
    }

    public static PaymentAnswer ReadPaymentAnswer(int partition, ReadOnlySpan<byte> answer)
    {
        var reader = Begin(partition, answer);
        var (outcome, sequence, time, isRetry) = (reader.U16<Outcome>(), reader.I64(), reader.Time(), reader.Flag());
        var (amount, fee, released) = (reader.Msat(), reader.Msat(), reader.Msat());
        var (payer, payee) = (ReadWallet(ref reader), ReadWallet(ref reader));
        reader.End();
        return new PaymentAnswer(outcome, sequence, time, payer, payee, isRetry) { Amount = amount, Fee = fee, Released = released };
    }

    public static void ReadResults(int partition, ReadOnlySpan<byte> answer, PaymentBlock block)
    {
        var reader = Begin(partition, answer);
        foreach (ref var result in block.Results) result = SentPayment.ReadResult(ref reader);
        reader.End();
    }

    public static bool ReadConfirmed(int partition, ReadOnlySpan<byte> answer)
    {
        var reader = Begin(partition, answer);
        var confirmed = reader.Flag();
        reader.End();
        return confirmed;
    }

    public static LedgerTime ReadTime(int partition, ReadOnlySpan<byte> answer)
    {
        var reader = Begin(partition, answer);
        var time = new LedgerTime(reader.Time(), reader.Flag());
        reader.End();
        return time;
    }

    /// <summary>A question that is said with its number.</summary>
    private static byte[] Of(Question what)
    {
        var bytes = new byte[QuestionHeaderBytes];
        Begin(bytes, what, Ledger.OperatorTenant);
        return bytes;
    }

    private static ByteWriter Begin(Span<byte> bytes, Question what, uint tenant)
    {
        var writer = new ByteWriter(bytes);
        writer.U8(Version);
        writer.U8((byte)what);
        writer.U32(tenant);
        return writer;
    }

    /// <summary>What a question asks for, all of it read before anything is done.</summary>
    private static Func<Task<byte[]>> Read(IPartitionOwner owner, int partition, ReadOnlySpan<byte> question)
    {
        var reader = new ByteReader(question);
        if (reader.U8() != Version) throw new FormatException("a question of an unknown version");
        var (what, tenant) = (reader.U8<Question>(), reader.U32());
        switch (what)
        {
            case Question.Command:
                var (term, command) = (reader.I64(), SentCommand.Read(reader.Take(reader.Left)));
                return async () => Answer(await owner.SubmitAsync(partition, command, tenant, term));
            case Question.Payment:
                var payment = SentPayment.Read(ref reader);
                reader.End();
                return async () => Answer(await owner.SubmitAsync(partition, payment, tenant));
            case Question.Block:
                var block = ReadBlock(ref reader, tenant);
                reader.End();
                return async () =>
                {
                    await owner.SubmitAsync(partition, block);
                    return Answer(block);
                };
            case Question.ConfirmClock:
                reader.End();
                return async () => Answer(await owner.ConfirmClockAsync(partition));
            case Question.Time:
                reader.End();
                return async () => Answer(await owner.TimeAsync(partition));
            default:
                throw new FormatException($"a question {what}");
        }
    }

    private static PaymentBlock ReadBlock(ref ByteReader reader, uint tenant)
    {
        var count = reader.Items(reader.U16(), 1, Limits.BlockPaymentsMax);
        var block = new PaymentBlock(count) { Tenant = tenant, Count = count };
        foreach (ref var payment in block.Payments) payment = SentPayment.Read(ref reader);
        return block;
    }

    private static byte[] Answer(Answer answer)
    {
        var bytes = new byte[AnswerHeaderBytes + 2 + 1 + 4 + answer.Record.Length + 1 + ((2 + answer.Payees.Count) * WalletBytesMax)];
        var writer = Begin(bytes);
        writer.U16((int)answer.Outcome);
        writer.Flag(answer.IsRetry);
        writer.Long(answer.Record.Span);
        Write(ref writer, answer.Owner);
        Write(ref writer, answer.Payee);
        writer.U8((byte)answer.Payees.Count);
        foreach (var payee in answer.Payees) Write(ref writer, payee);
        return bytes[..writer.Position];
    }

    private static byte[] Answer(in PaymentAnswer answer)
    {
        Span<byte> bytes = stackalloc byte[AnswerHeaderBytes + 2 + 1 + (5 * sizeof(long)) + (2 * WalletBytesMax)];
        var writer = Begin(bytes);
        writer.U16((int)answer.Outcome);
        writer.I64(answer.Sequence);
        writer.Time(answer.Time);
        writer.Flag(answer.IsRetry);
        writer.Amount(answer.Amount);
        writer.Amount(answer.Fee);
        writer.Amount(answer.Released);
        Write(ref writer, answer.Payer);
        Write(ref writer, answer.Payee);
        return bytes[..writer.Position].ToArray();
    }

    private static byte[] Answer(PaymentBlock block)
    {
        using var rented = new Rented(AnswerHeaderBytes + (block.Count * SentPayment.ResultBytesMax));
        var writer = Begin(rented.Bytes);
        foreach (ref readonly var result in block.Results) SentPayment.Write(ref writer, result);
        return rented.Bytes[..writer.Position].ToArray();
    }

    private static byte[] Answer(bool confirmed)
    {
        var bytes = new byte[AnswerHeaderBytes + 1];
        var writer = Begin(bytes);
        writer.Flag(confirmed);
        return bytes;
    }

    private static byte[] Answer(LedgerTime time)
    {
        var bytes = new byte[AnswerHeaderBytes + sizeof(long) + 1];
        var writer = Begin(bytes);
        writer.Time(time.Now);
        writer.Flag(time.IsTrusted);
        return bytes;
    }

    private static byte[] Unknown(Exception e)
    {
        var text = Encoding.UTF8.GetBytes((e is OutcomeUnknownException { InnerException: { } cause } ? cause : e).Message);
        text = text[..Math.Min(text.Length, byte.MaxValue)];
        return [Version, (byte)Reply.Unknown, (byte)text.Length, .. text];
    }

    private static ByteWriter Begin(Span<byte> bytes)
    {
        var writer = new ByteWriter(bytes);
        writer.U8(Version);
        writer.U8((byte)Reply.Answer);
        return writer;
    }

    /// <summary>Reads the head of an answer; throws what it says if it does not say what came of the question.</summary>
    private static ByteReader Begin(int partition, ReadOnlySpan<byte> answer)
    {
        var reader = new ByteReader(answer);
        if (reader.U8() != Version) throw new FormatException("an answer of an unknown version");
        return reader.U8<Reply>() switch
        {
            Reply.Answer => reader,
            Reply.Elsewhere => throw new PartitionElsewhereException(partition),
            Reply.Unavailable => throw new PartitionUnavailableException(reader.U8<Unavailable>()),
            Reply.Unknown => throw new OutcomeUnknownException(new PartitionOwnerException(reader.Short().ToUtf8())),
        };
    }

    private static void Write(ref ByteWriter writer, Wallet? found)
    {
        writer.Flag(found is not null);
        if (found is { } wallet) wallet.Write(ref writer);
    }

    private static Wallet? ReadWallet(ref ByteReader reader) => reader.Flag() ? Wallet.Read(ref reader) : null;
}
