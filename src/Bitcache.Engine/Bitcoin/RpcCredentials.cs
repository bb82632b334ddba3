using System.Net.Http.Headers;
using System.Text;

namespace Bitcache.Engine.Bitcoin;

/// <summary>Where the node's user and password are read from: always a file, so that no secret stands in a setting.</summary>
public sealed class RpcCredentials
{
    private readonly string? _path;
    private readonly string? _user;

    private RpcCredentials(string? path, string? user) => (_path, _user) = (path, user);

    /// <summary>For a node that asks for none: one that is simulated.</summary>
    internal static RpcCredentials None { get; } = new(null, null);

    /// <summary>The node's own <c>.cookie</c>, which it writes anew at every start.</summary>
    public static RpcCredentials FromCookie(string path) => new(path, null);

    /// <summary>A user of the node's <c>rpcauth</c>, and a file whose first line is the password.</summary>
    public static RpcCredentials FromPasswordFile(string user, string path) => new(path, user);

    /// <summary>Reads the file and makes the header of it; <see cref="NodeFailure.Unauthorized"/> if it cannot be read.</summary>
    internal AuthenticationHeaderValue Read()
    {
        if (_path is null) return new AuthenticationHeaderValue("Basic");
        string line;
        try
        {
            using var reader = new StreamReader(_path, Encoding.UTF8);
            line = reader.ReadLine() ?? "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new NodeException(NodeFailure.Unauthorized, $"{_path} cannot be read: {e.Message} Is the node running, and is this its file?", e);
        }
        var secret = _user is null ? line : $"{_user}:{line}";
        return new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(secret)));
    }
}
