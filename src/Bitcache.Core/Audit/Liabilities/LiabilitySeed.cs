// Keys of the liabilities: K_pol is the operator's, ak_u is the user's for good, n_u,e opens one epoch and no other. The
// tree and its file are those of BitMEX's proof of liabilities, so that its public validator takes them.

using System.Buffers.Binary;

namespace Bitcache.Core.Audit;

/// <summary>K_pol: 32 secret bytes from which the keys of all wallets follow, and how an epoch's tree is arranged.</summary>
public sealed class LiabilitySeed
{
    public const int Bytes = 32;

    internal const int NonceMessageBytes = Hash256.Bytes + (2 * sizeof(ulong));

    private readonly Hash256 _key;

    /// <exception cref="ArgumentException">There are not 32 bytes.</exception>
    public LiabilitySeed(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Bytes) throw new ArgumentException($"the key of the liabilities has {Bytes} bytes", nameof(bytes));
        _key = Hash256.Read(bytes);
    }

    /// <summary>ak_u = HMAC-SHA256(K_pol, "bitcache/pol/v1" || 00 || wallet id): the wallet's key, which its owner gets once.</summary>
    public Hash256 AccountKey(WalletId wallet)
    {
        Span<byte> message = stackalloc byte[AccountLabel.Length + WalletId.Bytes];
        WriteAccountMessage(wallet, message);
        return Hmac256.Of(_key, message);
    }

    /// <summary>The first eight bytes of SHA-256(wallet id), as a big-endian number: what the validator calls the account.</summary>
    public static ulong AccountNumber(WalletId wallet)
    {
        Span<byte> id = stackalloc byte[WalletId.Bytes];
        wallet.Write(id);
        return AccountNumber(Sha256.Of(id));
    }

    /// <summary>n_u,e = SHA-256(ak_u || le64(height) || le64(account number)): opens the wallet's leaves of one epoch, and of others
    /// only if they are told by the same block.</summary>
    /// <param name="height">Of the epoch's block.</param>
    public static Hash256 Nonce(Hash256 accountKey, uint height, ulong accountNumber)
    {
        Span<byte> message = stackalloc byte[NonceMessageBytes];
        WriteNonceMessage(accountKey, height, accountNumber, message);
        return Sha256.Of(message);
    }

    /// <summary>HMAC-SHA256(K_pol, u64be epoch): what arranges the epoch's tree (<see cref="ChunkPlan"/>).</summary>
    internal Hash256 Arrangement(long epoch)
    {
        Span<byte> message = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(message, epoch);
        return Hmac256.Of(_key, message);
    }

    /// <summary>The keys of many wallets.</summary>
    /// <param name="wallets">As many as a batch takes at most.</param>
    internal void AccountKeys(ReadOnlySpan<WalletId> wallets, Span<Hash256> keys, HmacBatch batch)
    {
        Span<HmacKey> own = stackalloc HmacKey[1];
        batch.Prepare([_key], own);
        Span<byte> message = stackalloc byte[AccountLabel.Length + WalletId.Bytes];
        foreach (var wallet in wallets)
        {
            WriteAccountMessage(wallet, message);
            batch.Add(own[0], message);
        }
        batch.Finish().CopyTo(keys);
    }

    /// <summary>The nonces of many wallets.</summary>
    /// <param name="keys">As many as a batch takes at most.</param>
    internal static void Nonces(ReadOnlySpan<Hash256> keys, uint height, ReadOnlySpan<ulong> accountNumbers, Span<Hash256> nonces, Sha256Batch batch)
    {
        Span<byte> message = stackalloc byte[NonceMessageBytes];
        for (var i = 0; i < keys.Length; i++)
        {
            WriteNonceMessage(keys[i], height, accountNumbers[i], message);
            batch.Add(message);
        }
        batch.Finish().CopyTo(nonces);
    }

    /// <summary>The account numbers of many wallets.</summary>
    /// <param name="wallets">As many as a batch takes at most.</param>
    internal static void AccountNumbers(ReadOnlySpan<WalletId> wallets, Span<ulong> numbers, Sha256Batch batch)
    {
        Span<byte> id = stackalloc byte[WalletId.Bytes];
        foreach (var wallet in wallets)
        {
            wallet.Write(id);
            batch.Add(id);
        }
        var hashes = batch.Finish();
        for (var i = 0; i < hashes.Length; i++) numbers[i] = AccountNumber(hashes[i]);
    }

    private static ReadOnlySpan<byte> AccountLabel => "bitcache/pol/v1\0"u8;

    private static ulong AccountNumber(Hash256 hash) => (ulong)(hash.High >> 64);

    private static void WriteAccountMessage(WalletId wallet, Span<byte> message)
    {
        AccountLabel.CopyTo(message);
        wallet.Write(message[AccountLabel.Length..]);
    }

    private static void WriteNonceMessage(Hash256 key, uint height, ulong accountNumber, Span<byte> message)
    {
        key.Write(message);
        BinaryPrimitives.WriteUInt64LittleEndian(message[Hash256.Bytes..], height);
        BinaryPrimitives.WriteUInt64LittleEndian(message[(Hash256.Bytes + sizeof(ulong))..], accountNumber);
    }
}
