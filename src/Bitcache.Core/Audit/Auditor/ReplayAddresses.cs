// Whose address each script is. A ledger may have given away millions: their bytes lie in the rows.

using System.Runtime.CompilerServices;

namespace Bitcache.Core.Audit;

[InlineArray(Limits.ScriptBytesMax)]
internal struct ScriptBytes
{
    private byte _first;
}

/// <summary>A script, and the wallet that deposits to it are for.</summary>
internal struct ReplayAddress : IReplayRow<ReplayAddress.Script>
{
    public const int RowBytesMax = 1 + Limits.ScriptBytesMax + WalletId.Bytes;

    public WalletId Owner;
    private Script _script;

    public ReplayAddress(ReadOnlySpan<byte> script, WalletId owner) => (_script, Owner) = (new Script(script), owner);

    public readonly Script Key => _script;

    public readonly void Write(ref ByteWriter row)
    {
        row.Short(_script.Bytes);
        row.Wallet(Owner);
    }

    public static ReplayAddress Read(ref ByteReader row) => new(row.Short(Limits.ScriptBytesMax).Span, row.Wallet());

    internal readonly struct Script : IEquatable<Script>
    {
        private readonly ScriptBytes _bytes;
        private readonly byte _length;

        /// <exception cref="FormatException">It is too long for one of the ledger's.</exception>
        public Script(ReadOnlySpan<byte> script)
        {
            if (script.Length > Limits.ScriptBytesMax) throw new FormatException($"a script of {script.Length} bytes");
            script.CopyTo(_bytes);
            _length = (byte)script.Length;
        }

        [System.Diagnostics.CodeAnalysis.UnscopedRef]
        public ReadOnlySpan<byte> Bytes => ((ReadOnlySpan<byte>)_bytes)[.._length];

        public bool Equals(Script other) => Bytes.SequenceEqual(other.Bytes);

        public override bool Equals(object? obj) => obj is Script other && Equals(other);

        public override int GetHashCode()
        {
            var hash = default(HashCode);
            hash.AddBytes(Bytes);
            return hash.ToHashCode();
        }
    }
}

internal sealed class ReplayAddresses
{
    private readonly ReplayTable<ReplayAddress.Script, ReplayAddress> _rows = new();

    public void Add(ByteString script, WalletId owner)
    {
        var row = new ReplayAddress(script.Span, owner);
        if (_rows.Find(row.Key) >= 0) throw new ImpossibleEntryException($"the address with script {Convert.ToHexStringLower(script.Span)} is given away twice");
        _rows.Add(row);
    }

    public bool TryFind(ByteString script, out WalletId owner)
    {
        var slot = _rows.Find(new ReplayAddress.Script(script.Span));
        owner = slot < 0 ? default : _rows[slot].Owner;
        return slot >= 0;
    }

    public void Write(StateWriter writer)
    {
        writer.Section(StateSection.ReplayAddresses, _rows.Count);
        for (var slot = 0; slot < _rows.Count; slot++)
        {
            var row = writer.Begin(ReplayAddress.RowBytesMax);
            _rows[slot].Write(ref row);
            writer.End(row);
        }
    }

    public void Read(StateReader reader)
    {
        for (var left = reader.Rows(StateSection.ReplayAddresses); left > 0; left--)
        {
            var row = reader.Begin();
            _rows.Add(ReplayAddress.Read(ref row));
            reader.End(row);
        }
    }
}
