// Ed25519 (RFC 8032) signs checkpoints, because every tool for signed notes reads it. .NET 10 has no Ed25519,
// so OpenSSL's libcrypto is called: the library that .NET itself uses on Linux.

using System.Runtime.InteropServices;

namespace Bitcache.Core.Audit;

public static partial class Ed25519
{
    public const int SeedBytes = 32;
    public const int PublicKeyBytes = 32;
    public const int SignatureBytes = 64;

    private const string Library = "libcrypto.so.3";
    private const int KeyType = 1087; // EVP_PKEY_ED25519

    private static readonly bool LibraryIsThere = NativeLibrary.TryLoad(Library, typeof(Ed25519).Assembly, null, out _);

    /// <summary>The public key of a private key, which is a seed of 32 random bytes.</summary>
    public static byte[] PublicKey(ReadOnlySpan<byte> seed)
    {
        using var key = Key.Private(seed);
        var publicKey = new byte[PublicKeyBytes];
        nuint length = PublicKeyBytes;
        Require(EVP_PKEY_get_raw_public_key(key.Handle, publicKey, ref length) == 1 && length == PublicKeyBytes);
        return publicKey;
    }

    /// <summary>Signs a message; the same seed and message always give the same 64 bytes.</summary>
    public static byte[] Sign(ReadOnlySpan<byte> seed, ReadOnlySpan<byte> message)
    {
        using var key = Key.Private(seed);
        using var context = new Context();
        Require(EVP_DigestSignInit(context.Handle, 0, 0, 0, key.Handle) == 1);
        var signature = new byte[SignatureBytes];
        nuint length = SignatureBytes;
        Require(EVP_DigestSign(context.Handle, signature, ref length, message, (nuint)message.Length) == 1 && length == SignatureBytes);
        return signature;
    }

    /// <summary>Whether the signature is one over the message; wrong lengths and keys that are no point are false.</summary>
    public static bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        if (publicKey.Length != PublicKeyBytes || signature.Length != SignatureBytes) return false;
        using var key = Key.Public(publicKey);
        using var context = new Context();
        Require(EVP_DigestVerifyInit(context.Handle, 0, 0, 0, key.Handle) == 1);
        var good = EVP_DigestVerify(context.Handle, signature, SignatureBytes, message, (nuint)message.Length) == 1;
        // A refused signature leaves its reason in this thread's queue, where .NET's own calls would find it.
        if (!good) ERR_clear_error();
        return good;
    }

    private static void Require(bool good)
    {
        if (!good) throw new InvalidOperationException($"{Library} refused an Ed25519 operation that cannot fail");
    }

    private static void RequireLibrary()
    {
        if (!LibraryIsThere)
            throw new PlatformNotSupportedException($"{Library} was not found: install OpenSSL 3 (Debian: libssl3), which signs and checks checkpoints");
    }

    private readonly ref struct Key(nint handle)
    {
        public nint Handle { get; } = handle;

        public static Key Private(ReadOnlySpan<byte> seed)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(seed.Length, SeedBytes);
            RequireLibrary();
            return Checked(EVP_PKEY_new_raw_private_key(KeyType, 0, seed, SeedBytes));
        }

        public static Key Public(ReadOnlySpan<byte> publicKey)
        {
            RequireLibrary();
            return Checked(EVP_PKEY_new_raw_public_key(KeyType, 0, publicKey, PublicKeyBytes));
        }

        public void Dispose() => EVP_PKEY_free(Handle);

        private static Key Checked(nint handle)
        {
            Require(handle != 0);
            return new Key(handle);
        }
    }

    private readonly ref struct Context
    {
        public Context()
        {
            Handle = EVP_MD_CTX_new();
            Require(Handle != 0);
        }

        public nint Handle { get; }

        public void Dispose() => EVP_MD_CTX_free(Handle);
    }

    [LibraryImport(Library), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint EVP_PKEY_new_raw_private_key(int type, nint engine, ReadOnlySpan<byte> key, nuint length);

    [LibraryImport(Library), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint EVP_PKEY_new_raw_public_key(int type, nint engine, ReadOnlySpan<byte> key, nuint length);

    [LibraryImport(Library), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int EVP_PKEY_get_raw_public_key(nint key, Span<byte> publicKey, ref nuint length);

    [LibraryImport(Library), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void EVP_PKEY_free(nint key);

    [LibraryImport(Library), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint EVP_MD_CTX_new();

    [LibraryImport(Library), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void EVP_MD_CTX_free(nint context);

    [LibraryImport(Library), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int EVP_DigestSignInit(nint context, nint keyContext, nint digest, nint engine, nint key);

    [LibraryImport(Library), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int EVP_DigestSign(nint context, Span<byte> signature, ref nuint signatureLength, ReadOnlySpan<byte> message, nuint length);

    [LibraryImport(Library), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int EVP_DigestVerifyInit(nint context, nint keyContext, nint digest, nint engine, nint key);

    [LibraryImport(Library), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int EVP_DigestVerify(nint context, ReadOnlySpan<byte> signature, nuint signatureLength, ReadOnlySpan<byte> message, nuint length);

    [LibraryImport(Library), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void ERR_clear_error();
}
