using System.Buffers;
using Bitcache.Core;

namespace Bitcache.Server.Api;

/// <summary>Takes lines from a body that comes in pieces, and looks at each byte once, however it comes. Of a line that
/// is longer than any may be, only its beginning is kept. Owned by one request.</summary>
internal sealed class LineReader
{
    /// <summary>Bytes at the front in which there is no end of a line.</summary>
    private long _looked;
    private bool _skips;

    /// <summary>Takes the next line; false if it is not there whole.</summary>
    /// <param name="bytes">What is there; what is taken goes.</param>
    /// <param name="isLast">Whether no more will come: then what is there is a line without its end.</param>
    /// <param name="line">Without its end. More than <see cref="Limits.RequestBodyBytesMax"/> bytes are the beginning of a
    /// longer one, whose rest is passed over.</param>
    public bool TryTake(ref ReadOnlySequence<byte> bytes, bool isLast, out ReadOnlySequence<byte> line)
    {
        while (!bytes.IsEmpty)
        {
            var wasSkipping = _skips;
            if (bytes.Slice(_looked).PositionOf(JsonLines.NewLine) is { } end)
            {
                (line, _skips) = (bytes.Slice(0, end), false);
                bytes = bytes.Slice(bytes.GetPosition(1, end));
            }
            else if (isLast || bytes.Length > Limits.RequestBodyBytesMax)
            {
                (line, _skips) = (bytes, !isLast);
                bytes = bytes.Slice(bytes.End);
            }
            else
            {
                _looked = bytes.Length;
                break;
            }
            _looked = 0;
            if (!wasSkipping) return true;
        }
        line = default;
        return false;
    }
}
