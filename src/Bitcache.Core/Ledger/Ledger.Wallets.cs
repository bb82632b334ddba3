// What is set for one wallet or one tenant. No money moves: these entries are in nobody's history.

namespace Bitcache.Core;

public sealed partial class Ledger
{
    /// <summary>The owners of wallets. A walk over all of them: for a start, not for each request.</summary>
    public HashSet<uint> Tenants()
    {
        var tenants = new HashSet<uint>();
        for (var slot = 0; slot < _wallets.Count; slot++) tenants.Add(_wallets.Peek(slot).Tenant);
        return tenants;
    }

    private ApplyResult ApplySetFrozen(SetFrozen command, in ApplyContext context, Span<byte> record)
    {
        var slot = _wallets.Find(command.Wallet);
        if (slot < 0) return Refused(Outcome.WalletNotFound);
        Remember(command, forEver: false);
        var own = context.Tenant == OperatorTenant ? Freezes.Operator : Freezes.Owner;
        ref var wallet = ref _wallets[slot];
        wallet.Freezes = command.Frozen ? wallet.Freezes | own : wallet.Freezes & ~own;
        return Write(EntryType.FreezeSet, command, context, record).Finish();
    }

    private ApplyResult ApplySetLimits(SetLimits command, in ApplyContext context, Span<byte> record)
    {
        var slot = _wallets.Find(command.Wallet);
        if (slot < 0) return Refused(Outcome.WalletNotFound);
        Remember(command, forEver: false);
        ref var wallet = ref _wallets[slot];
        if (wallet.Spending == 0) wallet.Spending = _spending.Add(slot);
        _spending[wallet.Spending].Limits = command.Limits;
        return Write(EntryType.LimitsSet, command, context, record).Finish();
    }

    private ApplyResult ApplySetFees(SetFees command, in ApplyContext context, Span<byte> record)
    {
        Remember(command, forEver: false);
        _fees.Set(command.Tenant, command.Schedule);
        return Write(EntryType.FeesSet, command, context, record).Finish();
    }
}
