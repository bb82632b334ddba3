using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Partitions;

/// <summary>A window of ids that is full, or nearly: what is refused then, and to whom.</summary>
[Trait("suite", "core")]
public sealed class WindowBoundTests : IAsyncLifetime
{
    private const int WindowIds = 160;
    private const int WindowBytes = 48 << 10;
    private readonly GatedJournal _journal = new();
    private readonly TwoClocks _clocks = new();
    private readonly ByteString _script = new([0, 20, .. new byte[20]]);
    private Partition _partition = null!;
    private WalletId _payer;
    private WalletId _payee;
    private int _outputs;

    public async ValueTask InitializeAsync()
    {
        _partition = new Partition(
            new Ledger(0), _journal, new BatchClock(_clocks, null), NullLogger.Instance, (why, cause) => throw new InvalidOperationException(why, cause),
            bounds: new PartitionBounds { WindowIds = WindowIds, WindowBytes = WindowBytes });
        _partition.Start();
        _payer = ClientIds.NextWallet();
        await _partition.SubmitAsync(new Genesis("test/log", 3, 1, _payer, new ByteString([0x51]), []));
        _payee = (await _partition.SubmitAsync(new CreateWallet(NewId(), 0, ClientIds.NextWallet()))).Owner!.Value.Id;
        await _partition.SubmitAsync(new AssignAddress(NewId(), _payer, AddressPurpose.OperatorTopUp, _script));
        await DepositAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _partition.DisposeAsync();
        _journal.Dispose();
    }

    [Fact]
    public async Task The_floor_rises_early_when_the_ids_take_too_much_memory()
    {
        for (var i = 0; i < WindowIds * 3 / 4; i++)
        {
            Assert.Equal(Outcome.Accepted, (await PayAsync(Transfer(NewId()))).Outcome);
            _clocks.Pass(TimeSpan.FromSeconds(2));
        }
        // Each of these ids is alone in its second.
        Assert.InRange(FloorsRaised(), 1, 6);
        Assert.InRange((await _partition.QueryAsync(ledger => ledger.WindowUse)).Bytes, 1, WindowBytes);
    }

    private OperationId NewId(TimeSpan ahead = default) =>
        OperationId.Create(new UnixTime((_clocks.GetUtcNow() + ahead).ToUnixTimeMilliseconds()), ClientIds.DrawSalt());

    private Payment Transfer(OperationId id) => new() { Kind = PaymentKind.Transfer, Id = id, Payer = _payer, Payee = _payee, Amount = new Msat(1) };

    private async Task<PaymentAnswer> PayAsync(Payment payment) => await _partition.SubmitAsync(payment, Ledger.OperatorTenant);

    private async Task<Outcome> DepositAsync()
    {
        var output = new OutPoint(default, (uint)_outputs++);
        return (await _partition.SubmitAsync(new ChangeDeposit(output, DepositState.Credited, false, _script, new Sats(1_000), default, 1))).Outcome;
    }

    private int FloorsRaised()
    {
        var count = 0;
        _partition.ReadRecords(0, _partition.DurableSequence + 1, record => count += Entry.Read(record).Type == EntryType.FloorRaised ? 1 : 0);
        return count;
    }
}
