// As much of Redis's protocol as filling and checking it takes: one command at a time, one answer.

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Bitcache.Benchmarks.Peers;

internal sealed class RespClient : IDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly BufferedStream _stream;

    public RespClient(EndPoint server)
    {
        _socket.Connect(server);
        _stream = new BufferedStream(new NetworkStream(_socket));
    }

    /// <summary>Writes a command as an array of bulk strings; returns its length.</summary>
    public static int WriteCommand(Span<byte> target, params ReadOnlySpan<byte[]> words)
    {
        var length = WriteHead(target, '*', words.Length);
        foreach (var word in words)
        {
            length += WriteHead(target[length..], '$', word.Length);
            word.CopyTo(target[length..]);
            length += word.Length;
            "\r\n"u8.CopyTo(target[length..]);
            length += 2;
        }
        return length;
    }

    /// <summary>Sends a command, and returns its answer: a status, a number or a string as text.</summary>
    /// <exception cref="BenchFailedException">Redis refused it.</exception>
    public string Call(params ReadOnlySpan<string> words)
    {
        byte[][] bytes = [.. words.ToArray().Select(Encoding.UTF8.GetBytes)];
        var command = new byte[bytes.Sum(w => w.Length + 16) + 16];
        _stream.Write(command, 0, WriteCommand(command, bytes));
        _stream.Flush();
        var head = ReadLine();
        switch (head[0])
        {
            case '+' or ':':
                return head[1..];
            case '$':
                var text = new byte[int.Parse(head.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture)];
                _stream.ReadExactly(text);
                ReadLine();
                return Encoding.UTF8.GetString(text);
            default:
                throw new BenchFailedException($"Redis answered {words[0]} with {head}");
        }
    }

    public void Dispose()
    {
        _stream.Dispose();
        _socket.Dispose();
    }

    private static int WriteHead(Span<byte> target, char kind, int number)
    {
        target[0] = (byte)kind;
        number.TryFormat(target[1..], out var digits, default, CultureInfo.InvariantCulture);
        "\r\n"u8.CopyTo(target[(1 + digits)..]);
        return digits + 3;
    }

    private string ReadLine()
    {
        var line = new StringBuilder();
        for (var next = _stream.ReadByte(); next != '\n'; next = _stream.ReadByte())
        {
            if (next < 0) throw new BenchFailedException("Redis closed the connection");
            if (next != '\r') line.Append((char)next);
        }
        return line.ToString();
    }
}
