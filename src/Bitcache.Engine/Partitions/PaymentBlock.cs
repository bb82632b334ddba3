using Bitcache.Core;

namespace Bitcache.Engine.Partitions;

/// <summary>Up to <see cref="Limits.BlockPaymentsMax"/> payments of one tenant that wait, are applied and are answered
/// together, though each stands for itself. Made once and used again and again by one caller: fill
/// <see cref="Payments"/>, set <see cref="Count"/>, submit, wait, read <see cref="Results"/>.</summary>
public sealed class PaymentBlock : AwaitedItem
{
    private readonly Payment[] _payments;
    private readonly PaymentResult[] _results;
    // Of blocks that this process applies.
    private PaymentSight[] _sights = [];
    private int _applied;

    public PaymentBlock(int capacity = Limits.BlockPaymentsMax)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacity, Limits.BlockPaymentsMax);
        (_payments, _results) = (new Payment[capacity], new PaymentResult[capacity]);
    }

    /// <summary>Belongs to the caller except between submitting and being answered.</summary>
    public Span<Payment> Payments => _payments;

    /// <summary>How many of <see cref="Payments"/> there are.</summary>
    public int Count { get; set; }

    public uint Tenant { get; set; }

    /// <summary>What came of each, in order. An outcome is <see cref="Outcome.Known"/> where the id was used before:
    /// <see cref="Partition.Recall(PaymentBlock)"/> tells what came of it then.</summary>
    public Span<PaymentResult> Results => _results.AsSpan(0, Count);

    internal override int Cost => Count;

    /// <summary>Thousands of answers are written, and of retries looked up in the journal.</summary>
    private protected override bool GoesOnAtLength => true;

    /// <summary>Begins a wait, and looks for the wallets, on the caller's thread.</summary>
    internal ValueTask Begin(Ledger ledger)
    {
        if (_sights.Length < Count) _sights = new PaymentSight[_payments.Length];
        ledger.Sight(_payments.AsSpan(0, Count), _sights);
        _applied = 0;
        return new ValueTask(this, BeginWait());
    }

    internal override bool Run(Ledger ledger, Batch batch)
    {
        var count = Math.Min(Count - _applied, batch.EntriesFree);
        var context = new ApplyContext(batch.Time, Tenant, 0, batch.ClockTrusted);
        var results = _results.AsSpan(_applied, count);
        var applied = ledger.Apply(
            _payments.AsSpan(_applied, count), _sights.AsSpan(_applied, count), context, batch.Salts(count), results, batch.Space, out var bytes);
        batch.Take(results[..applied], bytes);
        _applied += applied;
        return _applied == Count;
    }
}
