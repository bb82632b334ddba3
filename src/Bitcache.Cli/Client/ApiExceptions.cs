// What a caller may conclude from a request that has no good answer.

using Bitcache.Server.Api;

namespace Bitcache.Cli.Client;

/// <summary>The server refused: nothing was done, unless the problem says otherwise.</summary>
public sealed class ApiProblemException(ProblemBody problem) : Exception(problem.Title)
{
    public ProblemBody Problem => problem;
}

/// <summary>No connection was made: nothing was sent.</summary>
public sealed class ServerUnreachableException(Uri server, Exception inner)
    : Exception($"no connection to {server}: {inner.Message}. Is the server running, and is --url (or BITCACHE_URL) its address?", inner);

/// <summary>The request may have been executed. The same request under the same id tells, and does nothing twice.</summary>
public sealed class AnswerLostException(string reason, Exception? inner = null)
    : Exception($"whether this was done is not known: {reason}", inner);
