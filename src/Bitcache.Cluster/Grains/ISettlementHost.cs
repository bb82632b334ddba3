// The chain's side of the ledger, as its grain sees it.

namespace Bitcache.Cluster.Grains;

/// <summary>
/// What a silo does when it settles: there is one in the whole cluster. The grain calls <see cref="TakeOverAsync"/>, then
/// <see cref="TakeTurnAsync"/> any number of times and side by side, then <see cref="HandOverAsync"/>. Two silos may be between the
/// first and the last for a moment, since Orleans allows two activations: the ledger takes commands only of the one that took
/// over last.
/// </summary>
internal interface ISettlementHost
{
    /// <summary>Whether this silo has the keys that it takes; one without them never settles.</summary>
    bool CanSettle { get; }

    /// <summary>Whether it settles now, as far as it knows: no more when it has learned that another silo has taken over.</summary>
    bool IsSettling { get; }

    /// <summary>Where the other silos reach this one's HTTP interface.</summary>
    Uri Address { get; }

    /// <summary>Makes this silo the settlement's owner; commands of the one before are refused from then on.</summary>
    Task TakeOverAsync(CancellationToken cancel);

    /// <summary>Has it look at the chain and do what is due, now.</summary>
    Task TakeTurnAsync();

    /// <summary>Ends what it is about, and sends nothing from then on.</summary>
    Task HandOverAsync();
}
