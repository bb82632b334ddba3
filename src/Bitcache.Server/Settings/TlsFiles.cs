using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Bitcache.Server.Settings;

/// <summary>A certificate with its chain, and its private key, from PEM files.</summary>
internal static class TlsFiles
{
    public static X509Certificate2 Load(string certificateFile, string keyFile) => X509Certificate2.CreateFromPemFile(certificateFile, keyFile);

    public static X509Certificate2Collection LoadChain(string certificateFile)
    {
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(certificateFile);
        return chain;
    }

    /// <summary>Why the two cannot be used together; null when they can.</summary>
    public static string? Problem(string certificateFile, string keyFile)
    {
        try
        {
            Load(certificateFile, keyFile).Dispose();
            foreach (var certificate in LoadChain(certificateFile)) certificate.Dispose();
            return null;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }
}
