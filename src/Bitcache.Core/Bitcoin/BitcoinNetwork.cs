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

    /// <summary>The hash of the network's first block.</summary>
    public static BlockHash GenesisBlock(this BitcoinNetwork network)
    {
        var known = BlockHash.TryParse(
            network switch
            {
                BitcoinNetwork.Mainnet => "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
                BitcoinNetwork.Testnet => "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
                BitcoinNetwork.Signet => "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
                BitcoinNetwork.Regtest => "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
            },
            out var hash);
        return known ? hash : throw new FormatException($"the first block of {network} is written wrong");
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
