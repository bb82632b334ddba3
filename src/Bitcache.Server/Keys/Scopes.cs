namespace Bitcache.Server.Keys;

/// <summary>What a key may do. A key carries any of them; none includes another.</summary>
[Flags]
public enum Scopes
{
    None = 0,
    /// <summary>See the wallets of its own tenant.</summary>
    Read = 1,
    /// <summary>Make wallets and deposit addresses, and pay in every way.</summary>
    Pay = 2,
    /// <summary>Send money out to Bitcoin addresses; freeze wallets and set their limits.</summary>
    Withdraw = 4,
    /// <summary>Act for the operator: top-up addresses, epochs, fees, the clock; freeze any wallet and set its limits. Of the
    /// operator's keys only.</summary>
    Admin = 8,
    /// <summary>See everything, do nothing. Of the operator's keys only.</summary>
    Audit = 16,
}

public static class ScopeNames
{
    /// <summary>The scopes that only keys of the operator's own tenant may have.</summary>
    public const Scopes OperatorOnly = Scopes.Admin | Scopes.Audit;

    private static readonly (Scopes Scope, string Name)[] All =
        [(Scopes.Read, "read"), (Scopes.Pay, "pay"), (Scopes.Withdraw, "withdraw"), (Scopes.Admin, "admin"), (Scopes.Audit, "audit")];

    public static IReadOnlyList<string> ToNames(this Scopes scopes) =>
        [.. All.Where(s => scopes.HasFlag(s.Scope)).Select(s => s.Name)];

    /// <summary>Reads names such as "read" and "pay"; at least one, and none that is unknown.</summary>
    public static bool TryParse(IEnumerable<string> names, out Scopes scopes)
    {
        scopes = Scopes.None;
        foreach (var name in names)
        {
            var scope = All.FirstOrDefault(s => s.Name == name).Scope;
            if (scope == Scopes.None) return false;
            scopes |= scope;
        }
        return scopes != Scopes.None;
    }
}
