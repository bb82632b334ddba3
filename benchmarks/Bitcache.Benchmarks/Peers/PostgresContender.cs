// PostgreSQL through Npgsql, with connections of their own and prepared statements: one transfer a statement, or
// many in one.

using System.Diagnostics;
using Bitcache.Benchmarks.Load;
using Npgsql;
using NpgsqlTypes;

namespace Bitcache.Benchmarks.Peers;

internal abstract class PostgresContender(PostgresServer server, int wallets, int clients) : Contender
{
    protected override async Task<Paid> PayAsync(TimeSpan duration, CancellationToken cancel)
    {
        var opened = new List<Client>();
        try
        {
            for (var i = 0; i < clients; i++) opened.Add(await ConnectAsync(await server.Source.OpenConnectionAsync(cancel), new PaymentSource(wallets), cancel));
            var start = Stopwatch.GetTimestamp();
            var paid = await Task.WhenAll(opened.Select(client => Task.Run(() => PayAsync(client, start, duration, cancel), cancel)));
            return new Paid(paid.Sum(), Stopwatch.GetElapsedTime(start));
        }
        finally
        {
            foreach (var client in opened) await client.DisposeAsync();
        }
    }

    protected abstract Task<Client> ConnectAsync(NpgsqlConnection connection, PaymentSource payments, CancellationToken cancel);

    private static async Task<long> PayAsync(Client client, long start, TimeSpan duration, CancellationToken cancel)
    {
        var paid = 0L;
        while (Stopwatch.GetElapsedTime(start) < duration) paid += await client.PayAsync(cancel);
        return paid;
    }

    /// <summary>One connection and its prepared statement.</summary>
    protected abstract class Client(NpgsqlConnection connection, PaymentSource payments) : IAsyncDisposable
    {
        protected NpgsqlConnection Connection => connection;
        protected PaymentSource Payments => payments;

        /// <summary>Makes fresh payments; returns how many, all of them accepted.</summary>
        public abstract Task<int> PayAsync(CancellationToken cancel);

        public virtual ValueTask DisposeAsync() => connection.DisposeAsync();
    }

    protected static Guid ToGuid(Core.OperationId id)
    {
        Span<byte> bytes = stackalloc byte[Core.OperationId.Bytes];
        id.Write(bytes);
        return new Guid(bytes, bigEndian: true);
    }
}

internal sealed class PostgresSingles(PostgresServer server, int wallets, int clients) : PostgresContender(server, wallets, clients)
{
    public override string Name => "postgres";

    protected override async Task<Client> ConnectAsync(NpgsqlConnection connection, PaymentSource payments, CancellationToken cancel)
    {
        var client = new SingleClient(connection, payments);
        await client.PrepareAsync(cancel);
        return client;
    }

    private sealed class SingleClient(NpgsqlConnection connection, PaymentSource payments) : Client(connection, payments)
    {
        private readonly NpgsqlParameter<Guid> _id = new() { NpgsqlDbType = NpgsqlDbType.Uuid };
        private readonly NpgsqlParameter<long> _payer = new() { NpgsqlDbType = NpgsqlDbType.Bigint };
        private readonly NpgsqlParameter<long> _payee = new() { NpgsqlDbType = NpgsqlDbType.Bigint };
        private readonly NpgsqlParameter<long> _amount = new() { NpgsqlDbType = NpgsqlDbType.Bigint };
        private readonly NpgsqlCommand _command = new("SELECT transfer($1, $2, $3, $4)", connection);

        public Task PrepareAsync(CancellationToken cancel)
        {
            _command.Parameters.AddRange((NpgsqlParameter[])[_id, _payer, _payee, _amount]);
            return _command.PrepareAsync(cancel);
        }

        public override async Task<int> PayAsync(CancellationToken cancel)
        {
            var payment = Payments.Next();
            _id.TypedValue = ToGuid(payment.Id);
            (_payer.TypedValue, _payee.TypedValue, _amount.TypedValue) = (payment.Payer, payment.Payee, payment.AmountMsat);
            var outcome = (short)(await _command.ExecuteScalarAsync(cancel))!;
            return outcome == 0 ? 1 : throw new BenchFailedException($"PostgreSQL answered a transfer with {outcome}");
        }

        public override async ValueTask DisposeAsync()
        {
            await _command.DisposeAsync();
            await base.DisposeAsync();
        }
    }
}

internal sealed class PostgresBatches(PostgresServer server, int wallets, int clients, int batch) : PostgresContender(server, wallets, clients)
{
    public override string Name => "postgresBatch";

    protected override async Task<Client> ConnectAsync(NpgsqlConnection connection, PaymentSource payments, CancellationToken cancel)
    {
        var client = new BatchClient(connection, payments, batch);
        await client.PrepareAsync(cancel);
        return client;
    }

    private sealed class BatchClient(NpgsqlConnection connection, PaymentSource payments, int batch) : Client(connection, payments)
    {
        private const NpgsqlDbType Bigints = NpgsqlDbType.Array | NpgsqlDbType.Bigint;

        private readonly NpgsqlParameter<Guid[]> _ids = new() { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Uuid, TypedValue = new Guid[batch] };
        private readonly NpgsqlParameter<long[]> _payers = new() { NpgsqlDbType = Bigints, TypedValue = new long[batch] };
        private readonly NpgsqlParameter<long[]> _payees = new() { NpgsqlDbType = Bigints, TypedValue = new long[batch] };
        private readonly NpgsqlParameter<long[]> _amounts = new() { NpgsqlDbType = Bigints, TypedValue = new long[batch] };
        private readonly NpgsqlCommand _command = new("SELECT transfer_batch($1, $2, $3, $4)", connection);

        public Task PrepareAsync(CancellationToken cancel)
        {
            _command.Parameters.AddRange((NpgsqlParameter[])[_ids, _payers, _payees, _amounts]);
            return _command.PrepareAsync(cancel);
        }

        public override async Task<int> PayAsync(CancellationToken cancel)
        {
            for (var i = 0; i < batch; i++)
            {
                var payment = Payments.Next();
                _ids.TypedValue![i] = ToGuid(payment.Id);
                (_payers.TypedValue![i], _payees.TypedValue![i], _amounts.TypedValue![i]) = (payment.Payer, payment.Payee, payment.AmountMsat);
            }
            var outcomes = (short[])(await _command.ExecuteScalarAsync(cancel))!;
            return outcomes.Length == batch && !outcomes.AsSpan().ContainsAnyExcept((short)0)
                ? batch
                : throw new BenchFailedException("PostgreSQL did not accept all of a batch");
        }

        public override async ValueTask DisposeAsync()
        {
            await _command.DisposeAsync();
            await base.DisposeAsync();
        }
    }
}
