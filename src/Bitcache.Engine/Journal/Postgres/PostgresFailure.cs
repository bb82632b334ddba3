// What may be concluded when PostgreSQL does not say that it did what it was asked to.

using Npgsql;

namespace Bitcache.Engine.Journal.Postgres;

internal static class PostgresFailure
{
    /// <summary>How often a transaction that was rolled back is tried again.</summary>
    internal const int AttemptsMax = 5;

    /// <summary>Whether the server said that nothing was done and the same may be tried again: a serialisation failure, a
    /// deadlock, or no room for another connection. Everything else that comes after a statement was sent, a connection that
    /// broke above all, leaves open whether it was committed.</summary>
    internal static bool IsRolledBack(Exception failure) => failure is PostgresException
    {
        SqlState: PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.TooManyConnections
    };

    /// <summary>Asks again while the server says that nothing was done.</summary>
    internal static T Retry<T>(Func<T> ask)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return ask();
            }
            catch (PostgresException e) when (IsRolledBack(e) && attempt < AttemptsMax)
            {
                // Whoever was in the way has gone on.
            }
        }
    }
}
