// The part of the state's hash that covers holds, refunds, limits and fees.

using System.Security.Cryptography;

namespace Bitcache.Core;

public sealed partial class Ledger
{
    private void AppendPayments(IncrementalHash hash, byte[] field)
    {
        AppendAll(hash, field, OpenHolds(), static (ref w, h) =>
        {
            w.I64(h.Sequence);
            w.Wallet(h.Payer);
            w.Id(h.Id);
            w.Wallet(h.Payee);
            w.Amount(h.Left);
            w.Amount(h.FeeLeft);
            w.Time(h.Expires);
        });
        AppendAll(hash, field, _refunds.InOrder(), static (ref w, r) =>
        {
            w.I64(r.Sequence);
            w.Amount(r.Refunded);
        });
        AppendAll(hash, field, _spending.All.ToArray(), (ref w, s) =>
        {
            w.Wallet(_wallets[s.Wallet].Id);
            w.Amount(s.Limits.PerPayment);
            w.Amount(s.Limits.PerHour);
            w.Amount(s.Limits.PerDay);
            w.I64(s.Hour);
            w.I64(s.Day);
            w.Amount(s.InHour);
            w.Amount(s.InDay);
        });
        AppendAll(hash, field, _fees.OrderBy(f => f.Key), static (ref w, f) =>
        {
            w.U32(f.Key);
            w.Amount(f.Value.Flat);
            w.U32((uint)f.Value.PartsPerMillion);
            w.Amount(f.Value.Minimum);
        });
    }
}
