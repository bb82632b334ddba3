using Bitcache.Engine.Bitcoin;

namespace Bitcache.Simulation.Bitcoin;

/// <summary>The simulated node answers a call with an error.</summary>
public sealed class CallFailedException(RpcError code, string message) : Exception(message)
{
    public RpcError Code => code;
}
