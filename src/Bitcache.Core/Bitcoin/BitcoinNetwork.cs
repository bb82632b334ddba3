namespace Bitcache.Core.Bitcoin;

/// <summary>The Bitcoin networks. The numbers are written in journals: never renumber. Testnet is testnet3;
/// testnet4 is not supported.</summary>
public enum BitcoinNetwork : byte
{
    Mainnet = 0,
    Testnet = 1,
    Signet = 2,
    Regtest = 3,
}

/// <summary>What differs between the networks, as in Bitcoin Core's chain parameters.</summary>
public static class BitcoinNetworks
{
    public static IReadOnlyList<BitcoinNetwork> All { get; } =
        [BitcoinNetwork.Mainnet, BitcoinNetwork.Testnet, BitcoinNetwork.Signet, BitcoinNetwork.Regtest];

    /// <summary>The name that bitcoind gives as <c>chain</c>.</summary>
    public static string ChainName(this BitcoinNetwork network) => network switch
    {
        BitcoinNetwork.Mainnet => "main",
        BitcoinNetwork.Testnet => "test",
        BitcoinNetwork.Signet => "signet",
        BitcoinNetwork.Regtest => "regtest",
    };

    public static bool TryParse(string chainName, out BitcoinNetwork network)
    {
        foreach (var candidate in All)
        {
            network = candidate;
            if (candidate.ChainName() == chainName) return true;
        }
        network = default;
        return false;
    }

    /// <summary>The prefix of segwit addresses.</summary>
    public static string Hrp(this BitcoinNetwork network) => network switch
    {
        BitcoinNetwork.Mainnet => "bc",
        BitcoinNetwork.Testnet or BitcoinNetwork.Signet => "tb",
        BitcoinNetwork.Regtest => "bcrt",
    };

    /// <summary>The first byte of a base58 address that pays to a public key's hash.</summary>
    public static byte PublicKeyHashVersion(this BitcoinNetwork network) => network == BitcoinNetwork.Mainnet ? (byte)0x00 : (byte)0x6f;

    /// <summary>The first byte of a base58 address that pays to a script's hash.</summary>
    public static byte ScriptHashVersion(this BitcoinNetwork network) => network == BitcoinNetwork.Mainnet ? (byte)0x05 : (byte)0xc4;

    /// <summary>The easiest proof of work that a block may have, in the compact form of a header's nBits.</summary>
    public static uint ProofOfWorkLimit(this BitcoinNetwork network) => network switch
    {
        BitcoinNetwork.Mainnet or BitcoinNetwork.Testnet => 0x1d00ffff,
        BitcoinNetwork.Signet => 0x1e0377ae,
        BitcoinNetwork.Regtest => 0x207fffff,
    };
}
