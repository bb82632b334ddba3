// The generator of `bench engine`: keeps a number of blocks under way, each encoded as the records of a batch request
// and decoded as the server does it.

using System.Diagnostics;
using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Benchmarks;

internal sealed class EngineLoad
{
    private const int LatencyBuckets = 4_096;
    private static readonly Msat Start = new(1_000_000_000);
    private readonly Partition _partition;
    private readonly Sender[] _senders;
    private readonly long[] _latencies = new long[LatencyBuckets];
    private long _accepted;

    public EngineLoad(Partition partition, WalletId[] wallets, int blockPayments, int blocks) =>
        (_partition, _senders) = (partition, [.. Enumerable.Range(1, blocks).Select(seed => new Sender(new PaymentMix(wallets, (ulong)seed), blockPayments))]);

    /// <summary>One block under way, and what it is made from.</summary>
    private sealed record Sender(PaymentMix Mix, int BlockPayments)
    {
        public byte[] Request { get; } = new byte[BlockPayments * PaymentRecord.Bytes];
        public PaymentBlock Block { get; } = new(BlockPayments);
    }

    public long Accepted => _accepted;

    public void Reset()
    {
        Array.Clear(_latencies);
        _accepted = 0;
    }

    /// <param name="rate">Payments a second; null for as many as there can be. Who is late makes up for it.</param>
    public Task RunAsync(Func<bool> goesOn, double? rate = null)
    {
        var pace = rate is { } wanted ? new Pace(wanted) : null;
        return Task.WhenAll(_senders.Select(sender => Task.Run(() => SendAsync(goesOn, sender, pace))));
    }

    /// <summary>When the next block is due, whoever sends it.</summary>
    private sealed class Pace(double rate)
    {
        private readonly long _begun = Stopwatch.GetTimestamp();
        private long _payments;

        public async Task WaitAsync(int payments)
        {
            var due = TimeSpan.FromSeconds((Interlocked.Add(ref _payments, payments) - payments) / rate);
            var ahead = due - Stopwatch.GetElapsedTime(_begun);
            if (ahead > TimeSpan.Zero) await Task.Delay(ahead);
        }
    }

    /// <summary>From a block's submission to its answer, in milliseconds; steps of a twentieth.</summary>
    public double Percentile(double part)
    {
        var wanted = (long)(_latencies.Sum() * part);
        for (var bucket = 0; bucket < LatencyBuckets; bucket++)
        {
            if ((wanted -= _latencies[bucket]) < 0) return (bucket + 1) / 20.0;
        }
        return double.PositiveInfinity;
    }

    private async Task SendAsync(Func<bool> goesOn, Sender sender, Pace? pace)
    {
        while (goesOn())
        {
            if (pace is not null) await pace.WaitAsync(sender.BlockPayments);
            Encode(sender.Request, sender.Mix);
            Decode(sender.Request, sender.Block);
            var sent = Stopwatch.GetTimestamp();
            await _partition.SubmitAsync(sender.Block);
            var bucket = (int)Math.Min(LatencyBuckets - 1, Stopwatch.GetElapsedTime(sent).TotalMilliseconds * 20);
            Interlocked.Increment(ref _latencies[bucket]);
            Interlocked.Add(ref _accepted, Count(sender.Block));
            sender.Mix.Answered();
        }
    }

    private static int Count(PaymentBlock block)
    {
        var accepted = 0;
        foreach (ref readonly var result in block.Results)
        {
            if (result.Outcome == Outcome.Accepted) accepted++;
        }
        return accepted;
    }

    private static void Encode(Span<byte> request, PaymentMix mix)
    {
        var now = new UnixTime(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds());
        for (; !request.IsEmpty; request = request[PaymentRecord.Bytes..])
        {
            mix.Next(now, out var payment);
            PaymentRecord.Write(request, payment);
        }
    }

    private static void Decode(ReadOnlySpan<byte> request, PaymentBlock block)
    {
        block.Count = request.Length / PaymentRecord.Bytes;
        var payments = block.Payments;
        for (var i = 0; i < block.Count; i++)
        {
            if (!PaymentRecord.TryRead(request.Slice(i * PaymentRecord.Bytes, PaymentRecord.Bytes), out payments[i]))
                throw new InvalidOperationException("the generator made a record that is none");
        }
    }

    /// <summary>Begins a ledger: wallets, some with limits, and one large top-up of the operator spread over them.</summary>
    public static async Task<WalletId[]> FillAsync(Partition partition, int count)
    {
        var owner = ClientIds.NextWallet();
        await partition.SubmitAsync(new Genesis("bench.example/log", 3, 1, owner, new ByteString([0x51]), []));
        var wallets = new WalletId[count];
        for (var first = 0; first < count; first += Limits.BlockPaymentsMax)
        {
            var some = Enumerable.Range(first, Math.Min(Limits.BlockPaymentsMax, count - first));
            await Task.WhenAll(some.Select(i => partition.SubmitAsync(
                new CreateWallet(ClientIds.Next(TimeProvider.System), 0, wallets[i] = ClientIds.NextWallet()))));
        }
        var script = new ByteString([0x00, 0x14, .. new byte[20]]);
        await partition.SubmitAsync(new AssignAddress(ClientIds.Next(TimeProvider.System), owner, AddressPurpose.OperatorTopUp, script));
        await partition.SubmitAsync(new ChangeDeposit(
            new OutPoint(default, 0), DepositState.Credited, Suspense: false, script, new Sats(Start.Value / Limits.MsatPerSat * count), default, 1));
        var block = new PaymentBlock();
        for (var first = 0; first < count; first += block.Count)
        {
            block.Count = Math.Min(Limits.BlockPaymentsMax, count - first);
            for (var i = 0; i < block.Count; i++)
            {
                block.Payments[i] = new Payment
                {
                    Kind = PaymentKind.Transfer,
                    Id = ClientIds.Next(TimeProvider.System),
                    Payer = owner,
                    Payee = wallets[first + i],
                    Amount = Start,
                };
            }
            await partition.SubmitAsync(block);
            if (Count(block) != block.Count) throw new InvalidOperationException("a wallet was not funded");
        }
        // As much as a wallet begins with: they are looked at with each of its payments, and hardly ever met.
        var limits = new SpendingLimits(Start, Start, Start);
        foreach (var some in PaymentMix.Limited(wallets).Chunk(Limits.BlockPaymentsMax))
            await Task.WhenAll(some.Select(wallet => partition.SubmitAsync(new SetLimits(ClientIds.Next(TimeProvider.System), wallet, limits))));
        return wallets;
    }
}

/// <summary>xoshiro256**, by Blackman and Vigna: a generator that costs less than what it feeds.</summary>
internal sealed class Xoshiro(ulong seed)
{
    private ulong _a = Mix(seed), _b = Mix(seed + 1), _c = Mix(seed + 2), _d = Mix(seed + 3);

    public ulong Next()
    {
        unchecked
        {
            var result = ulong.RotateLeft(_b * 5, 7) * 9;
            var t = _b << 17;
            _c ^= _a;
            _d ^= _b;
            _b ^= _c;
            _a ^= _d;
            _c ^= t;
            _d = ulong.RotateLeft(_d, 45);
            return result;
        }
    }

    /// <summary>A step of SplitMix64, as the authors advise for seeding.</summary>
    private static ulong Mix(ulong value)
    {
        unchecked
        {
            value += 0x9E3779B97F4A7C15;
            value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
            value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
            return value ^ (value >> 31);
        }
    }
}
