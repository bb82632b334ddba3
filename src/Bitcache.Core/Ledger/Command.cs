// Everything that can change the ledger, as data. A command and the entry that it leaves in the journal share
// their bytes: replaying an entry means decoding its command and applying it again.

using System.Text.Unicode;

namespace Bitcache.Core;

/// <summary>Anything that may change the ledger. What it carries is bounded when it is made, so that no entry turns
/// out too long when balances have changed already.</summary>
public abstract record Command
{
    /// <summary>Whether it is the settlement's: taken from whoever has the present term, and from nobody else.</summary>
    public virtual bool IsUnderTerm => false;

    /// <summary>The part of the command that the log leaf carries.</summary>
    public abstract void WriteBody(ref ByteWriter writer);

    /// <summary>The part that only the journal record carries.</summary>
    public virtual void WritePrivate(ref ByteWriter writer)
    {
    }

    /// <exception cref="ArgumentOutOfRangeException">Longer than the format allows.</exception>
    protected static ByteString AtMost(int max, ByteString bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes.Length, max, nameof(bytes));
        return bytes;
    }

    /// <summary>A copy of the list: a command never changes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Longer than the format allows.</exception>
    protected static IReadOnlyList<T> AtMost<T>(int max, IReadOnlyList<T> list)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(list.Count, max, nameof(list));
        return [.. list];
    }
}

/// <summary>A command that a client names: the same id under the same wallet has one effect, whatever is retried.</summary>
public abstract record ClientCommand(OperationId Id) : Command
{
    /// <summary>The debited or owning wallet, under which the id is unique.</summary>
    public abstract WalletId Owner { get; }

    /// <summary>Whether it has an id after all.</summary>
    public virtual bool IsNamed => true;

    /// <summary>Whether the operator, too, may send it for a wallet of any tenant.</summary>
    public virtual bool IsForOperatorToo => false;

    /// <summary>Whether a second command under the same id asks for the same thing.</summary>
    public abstract bool HasSameTerms(ClientCommand other);
}

/// <summary>The first entry of a partition: what can never change.</summary>
/// <param name="Origin">The log's name, as its checkpoints carry it.</param>
/// <param name="Network">The Bitcoin network, by the number of <c>BitcoinNetwork</c>.</param>
/// <param name="Partitions">How many partitions the ledger has.</param>
/// <param name="Operator">The operator's own wallet: pays mining fees, receives fees.</param>
/// <param name="AnchorScript">The script S that every anchor transaction pays exactly once.</param>
/// <param name="Keys">SHA-256 of each public key, by purpose.</param>
public sealed record Genesis(
    string Origin, byte Network, int Partitions, WalletId Operator, ByteString AnchorScript, IReadOnlyList<KeyFingerprint> Keys) : Command
{
    private readonly ByteString _origin = AtMost(Limits.OriginBytesMax, ByteString.FromUtf8(Origin));

    public int Partitions { get; } = Partitions is >= 1 and <= Limits.PartitionsMax
        ? Partitions
        : throw new ArgumentOutOfRangeException(nameof(Partitions));
    public ByteString AnchorScript { get; } = AtMost(Limits.ScriptBytesMax, AnchorScript);
    public IReadOnlyList<KeyFingerprint> Keys { get; } = AtMost(Limits.KeysMax, Keys);

    public string Origin => _origin.ToUtf8();

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Short(_origin.Span);
        writer.U8(Network);
        writer.U16(Partitions);
        writer.Wallet(Operator);
        writer.Short(AnchorScript.Span);
        writer.U8((byte)Keys.Count);
        foreach (var key in Keys)
        {
            writer.U8((byte)key.Purpose);
            writer.Hash(key.Sha256);
        }
    }

    public static Genesis Read(ref ByteReader body)
    {
        var origin = body.Short(Limits.OriginBytesMax);
        if (!Utf8.IsValid(origin.Span)) throw new FormatException("an origin that is not UTF-8");
        var network = body.U8();
        var partitions = body.U16();
        if (partitions is < 1 or > Limits.PartitionsMax) throw new FormatException($"{partitions} partitions");
        var operatorWallet = body.Wallet();
        var script = body.Short(Limits.ScriptBytesMax);
        var keys = new KeyFingerprint[body.Items(body.U8(), 1 + Hash256.Bytes, Limits.KeysMax)];
        for (var i = 0; i < keys.Length; i++) keys[i] = new KeyFingerprint(body.U8<KeyPurpose>(), body.Hash());
        return new Genesis(origin.ToUtf8(), network, partitions, operatorWallet, script, keys);
    }
}

public enum KeyPurpose : byte
{
    Checkpoint = 1,
    /// <summary>The secret that the trees of liabilities are arranged by.</summary>
    Liabilities = 2,
}

public readonly record struct KeyFingerprint(KeyPurpose Purpose, Hash256 Sha256);

/// <summary>Makes a wallet. The wallet's id is drawn by the server, so a retry names only the operation.</summary>
public sealed record CreateWallet(OperationId Id, uint Tenant, WalletId Wallet) : ClientCommand(Id)
{
    /// <summary>Before there is a wallet, ids are unique under the tenant.</summary>
    public override WalletId Owner => new(Tenant);

    public override bool HasSameTerms(ClientCommand other) => other is CreateWallet;

    public override void WriteBody(ref ByteWriter writer)
    {
        writer.Id(Id);
        writer.Wallet(Wallet);
    }

    public static CreateWallet Read(ref ByteReader body, uint tenant) => new(body.Id(), tenant, body.Wallet());
}

/// <summary>Ids whose own time is below the floor are refused from now on, and forgotten.</summary>
public sealed record RaiseFloor(UnixTime Floor) : Command
{
    public override void WriteBody(ref ByteWriter writer) => writer.Time(Floor);

    public static RaiseFloor Read(ref ByteReader body) => new(body.Time());
}

/// <summary>An operator's word that the clock is right after a jump.</summary>
public sealed record ConfirmClock : Command
{
    public override void WriteBody(ref ByteWriter writer)
    {
    }
}
