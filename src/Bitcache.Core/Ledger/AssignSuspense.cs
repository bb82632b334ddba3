namespace Bitcache.Core;

/// <summary>Gives an output that is in suspense to a wallet, once. It takes the operator's word: who paid an amount that is
/// too small, or mined a block to an address, only the operator can find out.</summary>
public sealed record AssignSuspense(OperationId Id, OutPoint OutPoint, WalletId Wallet) : ClientCommand(Id)
{
    /// <summary>Whether the wallet lives in another partition, and its making is durable: whoever queues the command has asked
    /// there. No part of the terms.</summary>
    public bool ExistsElsewhere { get; init; }

    /// <summary>Which partition decides is known when all were asked: nobody else may send one under the same id meanwhile.</summary>
    public override bool IsUnderTerm => true;

    /// <summary>Suspense is the operator's affair, whose ids are unique under its tenant.</summary>
    public override WalletId Owner => new(Ledger.OperatorTenant);

    public override bool HasSameTerms(ClientCommand other) => other is AssignSuspense a && a.OutPoint == OutPoint && a.Wallet == Wallet;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Id);
        writer.Hash(OutPoint.Txid.Hash);
        writer.U32(OutPoint.Index);
        writer.Wallet(Wallet);
    }

    // What was journaled had found its wallet.
    public static AssignSuspense Read(ref ByteReader body) =>
        new(body.Id(), new OutPoint(new Txid(body.Hash()), body.U32()), body.Wallet()) { ExistsElsewhere = true };
}
