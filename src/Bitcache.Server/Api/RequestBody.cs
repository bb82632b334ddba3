using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;

namespace Bitcache.Server.Api;

internal static class RequestBody
{
    /// <summary>What a read of a request's body brings.</summary>
    /// <param name="read">Not to be cancelled: a read that is given up goes on in the pipe, and the server, which reads to the
    /// end of each body, then finds another at it. When the sender goes, the read fails by itself.</param>
    /// <exception cref="ProblemException">The body is not what HTTP allows.</exception>
    public static async ValueTask<ReadResult> TakeAsync(ValueTask<ReadResult> read)
    {
        try
        {
            return await read;
        }
        catch (IOException e) when (e is not (BadHttpRequestException or ConnectionResetException))
        {
            // A chunk with a length that no number holds is no trouble of ours.
            throw new ProblemException(ProblemType.MalformedRequest);
        }
    }
}
