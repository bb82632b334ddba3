using System.Buffers;
using Bitcache.Core.Audit;

namespace Bitcache.Cli.Audit;

/// <summary>An export on a disk.</summary>
/// <param name="cancel">Ends the reading of a long file.</param>
internal sealed class DiskFolder(string root, CancellationToken cancel) : IAuditFolder
{
    private const int PieceBytes = 1 << 20;

    public byte[]? Read(string path, int bytesMax)
    {
        var file = new FileInfo(Path.Combine(root, path));
        try
        {
            if (!file.Exists) return null;
            if (file.Length > bytesMax) throw AuditOutput.TooLong(file.FullName, bytesMax);
            return File.ReadAllBytes(file.FullName);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"{file.FullName} cannot be read: {e.Message}");
        }
    }

    public bool Read(string path, long bytesMax, PieceTaker pieces)
    {
        var name = Path.Combine(root, path);
        var space = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            if (!File.Exists(name)) return false;
            using var file = File.OpenRead(name);
            if (file.Length > bytesMax) throw AuditOutput.TooLong(name, bytesMax);
            while (file.Read(space) is var count and > 0 && pieces(space.AsSpan(0, count))) cancel.ThrowIfCancellationRequested();
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"{name} cannot be read: {e.Message}");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(space);
        }
    }
}
