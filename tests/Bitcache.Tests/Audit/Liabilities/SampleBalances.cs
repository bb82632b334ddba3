// Balances for tests, and files as bytes.

using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Audit.Liabilities;

internal static class SampleBalances
{
    public const uint Height = 840_000;
    public static readonly LiabilitySeed Seed = new([.. Enumerable.Range(0, LiabilitySeed.Bytes).Select(i => (byte)i)]);

    /// <summary>The first 16 bytes of SHA-256("w" and the number).</summary>
    public static WalletId Wallet(int number) => WalletId.Read(SHA256.HashData(Encoding.ASCII.GetBytes($"w{number}")));

    public static Dictionary<WalletId, long> Few => new()
    {
        [new WalletId(UInt128.One << 32)] = 1,
        [WalletId.Read(Convert.FromHexString("0123456789abcdef0123456789abcdef"))] = 100_000,
        [WalletId.Read(Convert.FromHexString("fedcba98765432100123456789abcdef"))] = 2,
        [WalletId.Suspense] = 7_777,
    };

    public static Dictionary<WalletId, long> Many => Numbered(3_000, i => ((long)i * i * i % 1_000_003) + (i % 3 != 0 ? 1 : 0));

    /// <summary>Fewer msat than leaves, so that there are fillers.</summary>
    public static Dictionary<WalletId, long> Tiny => Numbered(300, i => 1 + (i % 2));

    /// <summary>One balance that all leaves but a few are chunks of.</summary>
    public static Dictionary<WalletId, long> Whale => new(Numbered(300, _ => 1)) { [new WalletId(UInt128.One << 100)] = 1_000_000_000 };

    public static Dictionary<WalletId, long> Numbered(int count, Func<int, long> value) =>
        Enumerable.Range(1, count).ToDictionary(Wallet, value);

    public static LiabilityAccounts Accounts(IEnumerable<KeyValuePair<WalletId, long>> balances)
    {
        var accounts = new LiabilityAccounts();
        foreach (var (wallet, value) in balances) accounts.Add(wallet, new Msat(value));
        return accounts;
    }

    public static LiabilityTree Tree(Dictionary<WalletId, long> balances, long epoch = 3, uint height = Height) =>
        LiabilityTree.Build(Seed, epoch, height, Accounts(balances));

    public static byte[] Bytes(Action<ByteSink> write)
    {
        var bytes = new List<byte>();
        write(part => bytes.AddRange(part));
        return [.. bytes];
    }

    public static string Text(Action<ByteSink> write) => Encoding.UTF8.GetString(Bytes(write));

    public static byte[] LittleEndian(long value)
    {
        var bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return bytes;
    }
}
