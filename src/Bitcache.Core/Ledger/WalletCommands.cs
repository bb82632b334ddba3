// What is set for one wallet, by its own tenant or by the operator, and for one tenant, by the operator.

namespace Bitcache.Core;

/// <summary>Who stopped a wallet's outflow. Each lifts only its own freeze: a tenant cannot undo the operator's.</summary>
[Flags]
public enum Freezes : byte
{
    None = 0,
    Owner = 1,
    Operator = 2,
}

/// <summary>Stops a wallet's outflow or lets it go on. Setting what is set already is accepted, and journaled.</summary>
public sealed record SetFrozen(OperationId Id, WalletId Wallet, bool Frozen) : ClientCommand(Id)
{
    public override WalletId Owner => Wallet;

    public override bool IsForOperatorToo => true;

    public override bool HasSameTerms(ClientCommand other) => other is SetFrozen f && f.Frozen == Frozen;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Id);
        writer.Wallet(Wallet);
        writer.Flag(Frozen);
    }

    public static SetFrozen Read(ref ByteReader body) => new(body.Id(), body.Wallet(), body.Flag());
}

/// <summary>Sets a wallet's spending limits, in place of those it had. What was spent already in this hour and on this
/// day counts if the wallet had limits then, be it none that bind.</summary>
public sealed record SetLimits(OperationId Id, WalletId Wallet, SpendingLimits Limits) : ClientCommand(Id)
{
    public override WalletId Owner => Wallet;

    public override bool IsForOperatorToo => true;

    public override bool HasSameTerms(ClientCommand other) => other is SetLimits s && s.Limits == Limits;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Id);
        writer.Wallet(Wallet);
        writer.Amount(Limits.PerPayment);
        writer.Amount(Limits.PerHour);
        writer.Amount(Limits.PerDay);
    }

    public static SetLimits Read(ref ByteReader body) =>
        new(body.Id(), body.Wallet(), new SpendingLimits(body.Msat(), body.Msat(), body.Msat()));
}

/// <summary>Sets what the operator takes from a tenant's wallets for payments, in place of what it took before. The
/// operator's own tenant pays nothing, whatever is set.</summary>
public sealed record SetFees(OperationId Id, uint Tenant, FeeSchedule Schedule) : ClientCommand(Id)
{
    /// <summary>They are set in every partition: one after the other, or two could leave them different.</summary>
    public override bool IsUnderTerm => true;

    /// <summary>Fees are the operator's, whose ids are unique under its tenant.</summary>
    public override WalletId Owner => new(Ledger.OperatorTenant);

    public override bool HasSameTerms(ClientCommand other) => other is SetFees f && f.Tenant == Tenant && f.Schedule == Schedule;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Id);
        writer.U32(Tenant);
        writer.Amount(Schedule.Flat);
        writer.U32((uint)Schedule.PartsPerMillion);
        writer.Amount(Schedule.Minimum);
    }

    public static SetFees Read(ref ByteReader body)
    {
        var (id, tenant, flat, parts, minimum) = (body.Id(), body.U32(), body.Msat(), body.U32(), body.Msat());
        return parts <= Limits.FeePartsPerMillionMax
            ? new SetFees(id, tenant, new FeeSchedule(flat, (int)parts, minimum))
            : throw new FormatException($"a fee of {parts} parts per million");
    }
}
