// F21: whatever bytes arrive, a parser takes them or refuses them in its own way, and takes no memory that they only claim.
// Method: good inputs, damaged at random; a failure's seed is printed. Records of the journal have the same in ReplayTests,
// answers of the node over a socket in NodeAnswerTests.

using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Bitcache.Server.Api;
using Bitcache.Tests.Audit.Auditor;
using Bitcache.Tests.Bitcoin;
using Bitcache.Tests.Journal;
using Bitcache.Tests.Simulation;

namespace Bitcache.Tests;

[Trait("suite", "faults")]
public sealed class ParserTests
{
    private static readonly int Inputs = Environment.GetEnvironmentVariable("BITCACHE_FULL") == "1" ? 2_000_000 : 50_000;

    /// <summary>A thread's first batch takes a block of 2 MiB; otherwise far more than any of the inputs is worth, and far less
    /// than a length in one of them can say.</summary>
    private const long BytesOfEachMax = 4 << 20;

    [Fact]
    public void Frames()
    {
        var image = SampleJournal.Write(1, seal: true);
        var path = SampleJournal.Segments(image)[0];
        var segment = image[path]!;
        var frames = SampleJournal.Frames(segment);
        var whole = SampleJournal.Open(image).Batches;
        Fuzz(random =>
        {
            var bytes = (byte[])segment.Clone();
            var (offset, header) = frames[random.Next(frames.Count)];
            var damaged = Mutations.Of(bytes[offset..(offset + FrameHeader.FrameBytes(header.PayloadBytes))], random);
            // Half of them with a checksum that fits again, so that what follows it is reached.
            if (damaged.Length >= FrameHeader.Bytes && random.Next(2) == 0)
                System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(damaged.AsSpan(76), Crc32C.Compute(damaged.AsSpan(0, 76)));
            damaged.AsSpan(0, Math.Min(damaged.Length, bytes.Length - offset)).CopyTo(bytes.AsSpan(offset));
            var opened = SampleJournal.Open(image.With(path, bytes));
            for (var i = 0; i < opened.Batches.Count; i++) Assert.Equal(whole[i], opened.Batches[i]);
        });
    }

    [Fact]
    public void JSON_bodies()
    {
        var id = ClientIds.Next(TimeProvider.System);
        var sample = Encoding.UTF8.GetBytes($$"""{"id":"{{id}}","payer":"{{ClientIds.NextWallet()}}","payee":"{{ClientIds.NextWallet()}}","amountMsat":1000,"code":7,"reference":"cGVubnk="}""");
        Fuzz(random =>
        {
            try
            {
                JsonBody.Parse(Mutations.Of(sample, random), ApiJson.Default.TransferRequest);
            }
            catch (ProblemException)
            {
            }
        });
    }

    [Fact]
    public void Batch_bodies()
    {
        var binary = new byte[8 * PaymentRecord.Bytes];
        new Random(1).NextBytes(binary);
        for (var at = 0; at < binary.Length; at += PaymentRecord.Bytes) (binary[at], binary[at + 1]) = (1, 0);
        var line = $$"""{"id":"{{ClientIds.Next(TimeProvider.System)}}","payer":"{{ClientIds.NextWallet()}}","payee":"{{ClientIds.NextWallet()}}","amountMsat":1000}""" + "\n";
        var lines = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(line, 4)));
        using var block = new ThreadLocal<PaymentBlock>(() => new PaymentBlock());
        Fuzz(random =>
        {
            var isBinary = random.Next(2) == 0;
            var reader = PipeReader.Create(new ReadOnlySequence<byte>(Mutations.Of(isBinary ? binary : lines, random)));
            block.Value!.Count = 0;
            try
            {
                var read = isBinary ? BinaryBatch.ReadAsync(reader, block.Value) : JsonLines.ReadAsync(reader, block.Value);
                read.GetAwaiter().GetResult();
                Assert.InRange(block.Value.Count, 0, Limits.BlockPaymentsMax);
            }
            catch (ProblemException)
            {
            }
        });
    }

    [Fact]
    public void Node_answers()
    {
        (byte[] Sample, Action<JsonElement> Read)[] answers =
        [
            (Encoding.UTF8.GetBytes(Samples.Listed), a => NodeAnswerReader.WalletChanges(a)),
            (Encoding.UTF8.GetBytes(Samples.Transaction), a => NodeAnswerReader.WalletTransaction(a)),
            (Encoding.UTF8.GetBytes(Samples.Psbt), a => NodeAnswerReader.DecodedPsbt(a)),
            (Encoding.UTF8.GetBytes(Samples.Coins), a => NodeAnswerReader.Coins(a)),
        ];
        Fuzz(random =>
        {
            var (sample, read) = answers[random.Next(answers.Length)];
            try
            {
                using var document = JsonDocument.Parse(Mutations.Of(sample, random), new JsonDocumentOptions { MaxDepth = Limits.NodeAnswerDepthMax });
                read(document.RootElement);
            }
            catch (Exception e) when (e is JsonException or InvalidDataException or InvalidOperationException or FormatException or OverflowException)
            {
                // What the client of the node takes for an unknown outcome.
            }
        });
    }

    [Fact]
    public void Signed_PSBTs()
    {
        // Coins of scripts that only a node executes: what is tried is the reading, and no signature takes a millisecond.
        byte[] script = [0x51];
        var reserves = SampleProof.Reserves("ledger.example/log", SampleKey.ScriptHash(script), new ByteString([0x51, 2, 3, 4]));
        var signed = SampleProof.Make(reserves, (_, _, coin) => coin.Script == SampleKey.ScriptHash(script) ? [script] : [[1], [2, 3], []]);
        var proof = new ThreadLocal<ReservesProof>(() => new ReservesProof(reserves));
        Fuzz(random =>
        {
            var fault = proof.Value!.Take(Mutations.Of(signed, random), out var refusal);
            Assert.Equal(fault == ReservesProofFault.None, refusal.Length == 0);
            Assert.True(proof.Value.Missing.All(reserves.Coins.Contains));
        });
    }

    private static void Fuzz(Action<Random> parse) => Seeds.Run(Inputs, seed =>
    {
        var random = new Random(seed);
        var before = GC.GetAllocatedBytesForCurrentThread();
        parse(random);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, BytesOfEachMax);
    });
}
