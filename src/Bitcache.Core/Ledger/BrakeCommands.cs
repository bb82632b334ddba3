// What the operator's people say about withdrawals: that none leaves now, and that a large one may.

namespace Bitcache.Core;

/// <summary>Stops all withdrawals, or lets them go on. Setting what is set already is accepted, and journaled.</summary>
/// <param name="Id">None where the partition follows the first one, in which somebody decided it.</param>
public sealed record StopWithdrawals(OperationId Id, bool Stopped) : ClientCommand(Id)
{
    /// <summary>The other partitions follow the first: from what it said last, and not from what it said to another process before.</summary>
    public override bool IsUnderTerm => true;

    public override bool IsNamed => !Id.IsNone;

    /// <summary>It is the operator's, whose ids are unique under its tenant.</summary>
    public override WalletId Owner => new(Ledger.OperatorTenant);

    public override bool HasSameTerms(ClientCommand other) => other is StopWithdrawals s && s.Stopped == Stopped;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Id);
        writer.Flag(Stopped);
    }

    public static StopWithdrawals Read(ref ByteReader body) => new(body.Id(), body.Flag());
}

/// <summary>A second person's word on a withdrawal that waits for it: it may leave, or its money goes back. It goes by the
/// withdrawal's own id, so that however often it is sent, it has one effect.</summary>
/// <param name="By">The key of whoever says so. To approve, it must be another one than asked for the withdrawal.</param>
public sealed record DecideWithdrawal(OperationId Id, WalletId Wallet, bool Approved, ByteString By) : ClientCommand(Id)
{
    public ByteString By { get; } = AtMost(Limits.KeyIdBytesMax, By);

    /// <summary>Under the id the withdrawal itself is remembered.</summary>
    public override bool IsNamed => false;

    public override WalletId Owner => Wallet;

    public override bool HasSameTerms(ClientCommand other) => other is DecideWithdrawal d && d.Approved == Approved;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Id);
        writer.Wallet(Wallet);
        writer.Flag(Approved);
    }

    public override void WritePrivate(ref ByteWriter writer) => writer.Short(By.Span);

    /// <param name="leafOnly">Whether only the statement is there, which does not tell the key.</param>
    internal static DecideWithdrawal Read(ref ByteReader body, ref ByteReader rest, bool leafOnly) =>
        new(body.Id(), body.Wallet(), body.Flag(), leafOnly ? ByteString.Empty : rest.Short(Limits.KeyIdBytesMax));
}
