namespace Bitcache.Core.Bitcoin;

/// <summary>Why an address is refused. The numbers may be stored: never renumber.</summary>
public enum AddressRefusal : byte
{
    None = 0,
    /// <summary>No address of any Bitcoin network: a typo, or another currency.</summary>
    Malformed = 1,
    /// <summary>A good address, but of another Bitcoin network.</summary>
    OtherNetwork = 2,
    /// <summary>A segwit version without rules today: anybody could take coins sent there.</summary>
    UnsupportedWitnessVersion = 3,
}

/// <summary>Addresses and the output scripts they stand for: P2PKH, P2SH, P2WPKH, P2WSH and P2TR.</summary>
public static class BitcoinAddress
{
    private const byte OpDup = 0x76;
    private const byte OpHash160 = 0xa9;
    private const byte OpEqual = 0x87;
    private const byte OpEqualVerify = 0x88;
    private const byte OpCheckSig = 0xac;
    private const byte OpOne = 0x51;
    private const byte Push20 = 20;
    private const byte Push32 = 32;

    /// <summary>Reads an address into its output script. Testnet and signet share their address forms, and regtest
    /// shares the base58 one: there the network cannot be told from the text.</summary>
    public static bool TryParse(string text, BitcoinNetwork network, out byte[] script, out AddressRefusal refusal)
    {
        refusal = Read(text, network, out script);
        if (refusal != AddressRefusal.Malformed) return refusal == AddressRefusal.None;
        foreach (var other in BitcoinNetworks.All)
        {
            if (Read(text, other, out _) != AddressRefusal.Malformed) refusal = AddressRefusal.OtherNetwork;
        }
        return false;
    }

    /// <summary>The address of an output script, or null for a script that has none.</summary>
    public static string? FromScript(ReadOnlySpan<byte> script, BitcoinNetwork network) => script switch
    {
        [OpDup, OpHash160, Push20, .. { Length: 20 } hash, OpEqualVerify, OpCheckSig] => Base58Check.Encode(network.PublicKeyHashVersion(), hash),
        [OpHash160, Push20, .. { Length: 20 } hash, OpEqual] => Base58Check.Encode(network.ScriptHashVersion(), hash),
        [0, Push20, .. { Length: 20 } program] => Bech32m.EncodeSegwit(network.Hrp(), 0, program),
        [0, Push32, .. { Length: 32 } program] => Bech32m.EncodeSegwit(network.Hrp(), 0, program),
        [OpOne, Push32, .. { Length: 32 } program] => Bech32m.EncodeSegwit(network.Hrp(), 1, program),
        _ => null,
    };

    private static AddressRefusal Read(string text, BitcoinNetwork network, out byte[] script)
    {
        script = [];
        Span<byte> program = stackalloc byte[40];
        if (Bech32m.TryDecodeSegwit(network.Hrp(), text, program, out var version, out var length))
        {
            if (version > 1 || (version == 1 && length != 32)) return AddressRefusal.UnsupportedWitnessVersion;
            script = [version == 0 ? (byte)0 : OpOne, (byte)length, .. program[..length]];
            return AddressRefusal.None;
        }
        if (!Base58Check.TryDecode(text, out var prefix, out var hash)) return AddressRefusal.Malformed;
        if (prefix == network.PublicKeyHashVersion()) script = [OpDup, OpHash160, Push20, .. hash, OpEqualVerify, OpCheckSig];
        else if (prefix == network.ScriptHashVersion()) script = [OpHash160, Push20, .. hash, OpEqual];
        else return AddressRefusal.Malformed;
        return AddressRefusal.None;
    }
}
