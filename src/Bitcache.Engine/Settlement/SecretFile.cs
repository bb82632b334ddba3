using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using Bitcache.Engine.Files;

namespace Bitcache.Engine.Settlement;

/// <summary>A key of 32 bytes as a line of hex, in a file that only its owner may read.</summary>
internal static class SecretFile
{
    public const int Bytes = 32;

    /// <summary>Reads the key, or makes it.</summary>
    /// <param name="words">What the key is, for whoever has to restore it.</param>
    /// <exception cref="SettingsException">The file is missing, malformed, or readable by others.</exception>
    public static byte[] Open(IFileSystem files, string folder, string name, string words, bool mayCreate)
    {
        var path = Path.Combine(folder, name);
        if (!File.Exists(path))
        {
            if (!mayCreate) throw new SettingsException([$"{path} is missing: restore {words} of this ledger from its backup"]);
            Draw(files, folder, name);
        }
        return Read(path);
    }

    /// <summary>Makes a new key, in the place of one that has the name. Durable when this returns.</summary>
    public static void Draw(IFileSystem files, string folder, string name) =>
        WholeFile.Write(files, folder, name, Encoding.ASCII.GetBytes(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(Bytes)) + "\n"));

    /// <exception cref="SettingsException">The file is malformed, or readable by others.</exception>
    public static byte[] Read(string path)
    {
        if ((File.GetUnixFileMode(path) & (UnixFileMode.GroupRead | UnixFileMode.OtherRead)) != 0)
            throw new SettingsException([$"{path} can be read by others: chmod 600 it"]);
        var text = File.ReadAllText(path).TrimEnd('\n');
        var key = new byte[Bytes];
        return text.Length == 2 * Bytes && Convert.FromHexString(text, key, out _, out _) == OperationStatus.Done
            ? key
            : throw new SettingsException([$"{path} does not hold {Bytes} bytes in hex: restore it from its backup"]);
    }
}
