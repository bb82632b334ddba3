namespace Bitcache.Core;

/// <summary>The fee schedules of tenants that have one. They are few: a capture copies them.</summary>
internal sealed class FeeTable : IStateTable
{
    private readonly Dictionary<uint, FeeSchedule> _fees = [];

    public int Count => _fees.Count;

    public FeeSchedule Of(uint tenant) => _fees.GetValueOrDefault(tenant);

    /// <summary>Gives a tenant a schedule, or none.</summary>
    public void Set(uint tenant, FeeSchedule schedule)
    {
        if (schedule == default) _fees.Remove(tenant);
        else _fees[tenant] = schedule;
    }

    public IStateRows View(bool hold) => new Rows([.. _fees.OrderBy(f => f.Key)]);

    public void Release()
    {
    }

    public void Read(StateReader reader)
    {
        for (var left = reader.Section(StateSection.Fees); left > 0; left--)
        {
            var row = reader.Begin();
            _fees.Add(row.U32(), new FeeSchedule(row.Msat(), (int)row.U32(), row.Msat()));
            reader.End(row);
        }
    }

    private sealed class Rows(KeyValuePair<uint, FeeSchedule>[] fees) : IStateRows
    {
        private const int RowBytes = (2 * sizeof(uint)) + (2 * sizeof(long));

        public void Write(StateWriter writer)
        {
            writer.Section(StateSection.Fees, fees.Length);
            foreach (var (tenant, schedule) in fees)
            {
                var row = writer.Begin(RowBytes);
                row.U32(tenant);
                row.Amount(schedule.Flat);
                row.U32((uint)schedule.PartsPerMillion);
                row.Amount(schedule.Minimum);
                writer.End(row);
            }
        }
    }
}
