namespace Bitcache.Core;

/// <summary>Which client ids have been used, and which entry each left. Ids of withdrawals and addresses are kept
/// for ever; the others until the floor passes their own time.</summary>
internal sealed class IdWindow
{
    private readonly Dictionary<(WalletId Owner, OperationId Id), Used> _used = [];

    private readonly record struct Used(long Sequence, bool ForEver);

    public int Count => _used.Count;

    public long? Find(WalletId owner, OperationId id) => _used.TryGetValue((owner, id), out var used) ? used.Sequence : null;

    public void Add(WalletId owner, OperationId id, long sequence, bool forEver) =>
        _used.Add((owner, id), new Used(sequence, forEver));

    public void ForgetBelow(UnixTime floor)
    {
        foreach (var (key, used) in _used)
        {
            if (!used.ForEver && key.Id.Time < floor) _used.Remove(key);
        }
    }

    /// <summary>Everything in one order, the same on every machine.</summary>
    public IEnumerable<(WalletId Owner, OperationId Id, long Sequence, bool ForEver)> InOrder() =>
        _used.OrderBy(u => u.Value.Sequence).Select(u => (u.Key.Owner, u.Key.Id, u.Value.Sequence, u.Value.ForEver));
}
