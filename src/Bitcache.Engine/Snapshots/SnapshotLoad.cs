// Builds a ledger from a snapshot with two threads: one reads and verifies the next pieces, one builds.

using System.Buffers;
using System.Collections.Concurrent;
using Bitcache.Core;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Snapshots;

internal static class SnapshotLoad
{
    private const int BuffersMax = 4;

    /// <summary>Builds the ledger; it may be used only because all of the file was found to be what was written.</summary>
    /// <exception cref="SnapshotDamagedException">It is not.</exception>
    internal static (Ledger Ledger, Hash256 StateHash) Run(IFile file, string path, SnapshotReader reader, ulong secret)
    {
        try
        {
            // A thread costs more than it saves where one piece is all.
            var ledger = file.Length <= SnapshotReader.BufferBytes ? LoadAlone(reader, secret) : LoadAhead(reader, secret);
            if (ledger.NextSequence != reader.Header.NextSequence || ledger.Time != reader.Header.Time)
                throw new FormatException($"the state of {ledger.NextSequence} entries under a header that says {reader.Header.NextSequence}");
            return (ledger, reader.StateHash);
        }
        catch (FormatException e)
        {
            throw new SnapshotDamagedException(path, SnapshotHeader.Bytes, e.Message, e);
        }
    }

    private static Ledger LoadAlone(SnapshotReader reader, ulong secret)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(SnapshotReader.BufferBytes);
        try
        {
            return Ledger.Load(reader.Header.Partition, secret, () => reader.Next(buffer));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static Ledger LoadAhead(SnapshotReader reader, ulong secret)
    {
        using var ahead = new ReadAhead(reader);
        return Ledger.Load(reader.Header.Partition, secret, ahead.Next);
    }

    /// <summary>Pieces that are read before they are asked for.</summary>
    private sealed class ReadAhead : IDisposable
    {
        private readonly BlockingCollection<byte[]> _free = [];
        private readonly BlockingCollection<(byte[] Buffer, ReadOnlyMemory<byte> Piece)> _read = [];
        private readonly CancellationTokenSource _stop = new();
        private readonly Thread _thread;
        private byte[]? _current;
        private Exception? _failure;

        public ReadAhead(SnapshotReader reader)
        {
            for (var i = 0; i < BuffersMax; i++) _free.Add(new byte[SnapshotReader.BufferBytes]);
            _thread = new Thread(() => Read(reader)) { Name = "snapshot reader", IsBackground = true };
            _thread.Start();
        }

        /// <summary>The next piece, valid until the next call.</summary>
        public ReadOnlyMemory<byte> Next()
        {
            if (_current is not null) _free.Add(_current);
            _current = null;
            if (_read.TryTake(out var next, Timeout.Infinite))
            {
                _current = next.Buffer;
                return next.Piece;
            }
            if (_failure is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(_failure);
            return default;
        }

        public void Dispose()
        {
            _stop.Cancel();
            _thread.Join();
            _free.Dispose();
            _read.Dispose();
            _stop.Dispose();
        }

        private void Read(SnapshotReader reader)
        {
            try
            {
                while (true)
                {
                    var buffer = _free.Take(_stop.Token);
                    if (reader.Next(buffer) is not { IsEmpty: false } piece) return;
                    _read.Add((buffer, piece));
                }
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
            }
#pragma warning disable CA1031 // Thrown again on the thread that builds.
            catch (Exception e)
            {
                _failure = e;
            }
#pragma warning restore CA1031
            finally
            {
                _read.CompleteAdding();
            }
        }
    }
}
