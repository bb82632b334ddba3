// Commands that give Bitcoin addresses to wallets.

namespace Bitcache.Core;

public enum AddressPurpose : byte
{
    Deposit = 1,
    OperatorTopUp = 2,
}

/// <summary>Where an address of our own derivation comes from.</summary>
/// <param name="Index">Of its key, in the ranged descriptor of the node's wallet.</param>
/// <param name="Height">Up to which the chain had been looked at before anybody knew the address: what pays it is above.</param>
public readonly record struct AddressOrigin(uint Index, uint Height);

/// <summary>An address among many.</summary>
/// <param name="Index">As in <see cref="AddressOrigin"/>.</param>
public readonly record struct DerivedAddress(uint Index, ByteString Script);

/// <summary>Gives a Bitcoin address to a wallet, for ever.</summary>
/// <param name="Origin">Null for an address that the node chose, as all did before ours were derived.</param>
public sealed record AssignAddress(OperationId Id, WalletId Wallet, AddressPurpose Purpose, ByteString Script, AddressOrigin? Origin = null) : ClientCommand(Id)
{
    public ByteString Script { get; } = AtMost(Limits.ScriptBytesMax, Script);

    /// <summary>That no partition has given a script away already, only whoever asks all of them and gives alone can know.</summary>
    public override bool IsUnderTerm => true;

    public override WalletId Owner => Wallet;

    public override bool HasSameTerms(ClientCommand other) => other is AssignAddress a && a.Purpose == Purpose;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Id);
        writer.Wallet(Wallet);
        writer.U8((byte)Purpose);
        writer.Short(Script.Span);
        if (Origin is not { } origin) return;
        writer.U32(origin.Index);
        writer.U32(origin.Height);
    }

    public static AssignAddress Read(ref ByteReader body)
    {
        var (id, wallet, purpose, script) = (body.Id(), body.Wallet(), body.U8<AddressPurpose>(), body.Short(Limits.ScriptBytesMax));
        return new AssignAddress(id, wallet, purpose, script, body.Left > 0 ? new AddressOrigin(body.U32(), body.U32()) : null);
    }
}

/// <summary>Gives many Bitcoin addresses to a wallet at once, all or none.</summary>
/// <param name="Height">As in <see cref="AddressOrigin"/>, of all of them.</param>
public sealed record AssignAddresses(
    OperationId Id, WalletId Wallet, AddressPurpose Purpose, uint Height, IReadOnlyList<DerivedAddress> Addresses) : ClientCommand(Id)
{
    private const int AddressBytesMin = sizeof(uint) + 1;

    public IReadOnlyList<DerivedAddress> Addresses { get; } = AtMost(Limits.AddressesAtOnceMax, Addresses);

    /// <inheritdoc cref="AssignAddress.IsUnderTerm"/>
    public override bool IsUnderTerm => true;

    public override WalletId Owner => Wallet;

    public override bool HasSameTerms(ClientCommand other) =>
        other is AssignAddresses a && a.Purpose == Purpose && a.Addresses.Count == Addresses.Count;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Id);
        writer.Wallet(Wallet);
        writer.U8((byte)Purpose);
        writer.U32(Height);
        writer.U16(Addresses.Count);
        foreach (var address in Addresses)
        {
            writer.U32(address.Index);
            writer.Short(address.Script.Span);
        }
    }

    public static AssignAddresses Read(ref ByteReader body)
    {
        var (id, wallet, purpose, height) = (body.Id(), body.Wallet(), body.U8<AddressPurpose>(), body.U32());
        var addresses = new DerivedAddress[body.Items(body.U16(), AddressBytesMin, Limits.AddressesAtOnceMax)];
        for (var i = 0; i < addresses.Length; i++) addresses[i] = new DerivedAddress(body.U32(), body.Short(Limits.ScriptBytesMax));
        return new AssignAddresses(id, wallet, purpose, height, addresses);
    }
}
