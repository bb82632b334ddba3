// The keys as the running server sees them. Looking a key up costs one SHA-256, once for a connection; the file is
// looked at again after half a second, by whichever request comes then, so that a revoked key is refused within a second.

using System.Collections.Frozen;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Microsoft.Extensions.Logging;

namespace Bitcache.Server.Keys;

/// <summary>Who sent a request.</summary>
public sealed record Principal(uint Tenant, Scopes Scopes, string KeyId)
{
    /// <summary>Whether a wallet's affairs may be shown to this caller. Others' wallets are as good as absent.</summary>
    public bool MaySee(in Wallet wallet) => Owns(wallet) || Scopes.HasFlag(Scopes.Audit);

    public bool Owns(in Wallet wallet) => wallet.Tenant == Tenant;
}

public enum KeyRefusal
{
    None,
    Malformed,
    OtherNetwork,
    Unknown,
    Revoked,
    Expired,
}

public sealed class Keyring
{
    /// <summary>How long a revoked key may still be good, at most.</summary>
    public static readonly TimeSpan StaleMax = TimeSpan.FromMilliseconds(500);

    /// <summary>Tenants that a message names.</summary>
    private const int NamedMax = 10;

    private sealed record Known(byte[] Hash, Principal Principal, DateTimeOffset? Expires, bool Revoked);

    /// <param name="Bytes">The file; null where there was none yet.</param>
    /// <param name="Keys">Null when the file cannot be used.</param>
    /// <param name="Tenants">Empty when the file cannot be used.</param>
    /// <param name="Trouble">Why it cannot be used.</param>
    private sealed record Snapshot(byte[]? Bytes, FrozenDictionary<Hash256, Known>? Keys, IReadOnlyList<Tenant> Tenants, string? Trouble = null);

    private readonly KeyPlace _place;
    private readonly string _prefix;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Lock _reload = new();
    /// <summary>Hashes of known keys, by the very string that they came in: for as long as a client sends the same header on a
    /// connection, Kestrel hands us the same string. They go when it goes.</summary>
    private readonly ConditionalWeakTable<string, StrongBox<Hash256>> _hashes = [];
    /// <summary>Tenants that every version of the file must have: those who own wallets, and all that were read since.</summary>
    private readonly HashSet<uint> _owners;
    private volatile Snapshot _snapshot;
    private long _lookedAt;

    /// <param name="owners">The tenants who own wallets.</param>
    /// <exception cref="KeyFileException">There is a key file that cannot be used, or it lacks an owner.</exception>
    public Keyring(KeyPlace place, BitcoinNetwork network, IEnumerable<uint> owners, TimeProvider time, ILogger<Keyring> log)
    {
        (_place, _prefix, _time, _log) = (place, ApiKey.Prefix(network), time, log);
        (_owners, _lookedAt) = ([.. owners], time.GetTimestamp());
        var bytes = _place.Read();
        _snapshot = Read(bytes);
        if (_snapshot.Keys!.Count == 0) _log.NoKeys(_place.Name);
    }

    /// <summary>Whether keys can be told apart now; if not, nobody is let in.</summary>
    public bool IsUsable => Current().Keys is not null;

    /// <summary>Everybody who may own wallets.</summary>
    /// <exception cref="KeyFileException">The file has become unusable.</exception>
    public IReadOnlyList<Tenant> Tenants() => Current() is { Keys: not null } known ? known.Tenants : throw Unusable();

    /// <summary>Finds out whose key this is.</summary>
    /// <param name="text">Ends with the key.</param>
    /// <param name="keyAt">Where in the text the key begins.</param>
    /// <exception cref="KeyFileException">The file has become unusable: nobody is let in until it is mended.</exception>
    public KeyRefusal Identify(string text, out Principal principal, int keyAt = 0)
    {
        principal = null!;
        var isHashed = _hashes.TryGetValue(text, out var hashed);
        if (!isHashed)
        {
            var key = text.AsSpan(keyAt);
            if (!ApiKey.IsWellFormed(key)) return KeyRefusal.Malformed;
            if (!key.StartsWith(_prefix, StringComparison.Ordinal)) return KeyRefusal.OtherNetwork;
            hashed = new StrongBox<Hash256>(ApiKey.Hash(key));
        }
        var keys = Current().Keys ?? throw Unusable();
        var hash = hashed!.Value;
        Span<byte> presented = stackalloc byte[Hash256.Bytes];
        hash.Write(presented);
        // The table is found by a hash that the sender cannot choose; the comparison that decides takes the same
        // time wherever two hashes differ.
        if (!keys.TryGetValue(hash, out var known) || !CryptographicOperations.FixedTimeEquals(presented, known.Hash)) return KeyRefusal.Unknown;
        if (!isHashed) _hashes.AddOrUpdate(text, hashed);
        if (known.Revoked) return KeyRefusal.Revoked;
        if (known.Expires is { } end && end <= _time.GetUtcNow()) return KeyRefusal.Expired;
        principal = known.Principal;
        return KeyRefusal.None;
    }

    private Snapshot Current()
    {
        if (_time.GetElapsedTime(Volatile.Read(ref _lookedAt)) < StaleMax) return _snapshot;
        lock (_reload)
        {
            if (_time.GetElapsedTime(_lookedAt) < StaleMax) return _snapshot;
            _snapshot = Reload(_snapshot);
            Volatile.Write(ref _lookedAt, _time.GetTimestamp());
            return _snapshot;
        }
    }

    private Snapshot Reload(Snapshot old)
    {
        try
        {
            var bytes = _place.Read();
            if (bytes is null && (old.Bytes is not null || old.Keys is null)) return Gone(old);
            if (old.Keys is not null && bytes.AsSpan().SequenceEqual(old.Bytes)) return old;
            var changed = Read(bytes);
            _log.KeysRead(changed.Keys!.Count, _place.Name);
            return changed;
        }
        catch (KeyFileException e)
        {
            // Going on with the old keys could let a revoked one in.
            if (old.Trouble != e.Message) _log.KeysUnusable(e.Message);
            return new Snapshot(null, null, [], e.Message);
        }
    }

    /// <summary>A file that was never there means that nobody has a key; one that was there and has gone is damage.</summary>
    private Snapshot Gone(Snapshot old)
    {
        const string Trouble = "gone";
        if (old.Trouble != Trouble) _log.KeysGone(_place.Name);
        return new Snapshot(null, null, [], Trouble);
    }

    private Snapshot Read(byte[]? bytes)
    {
        var file = ApiKeyStore.Parse(_place, bytes);
        var lacking = _owners.Except(file.Tenants.Select(t => t.Number)).Order().ToList();
        // A key of a tenant who is made anew must not come upon the wallets of another.
        if (lacking.Count > 0)
            throw new KeyFileException(
                $"{_place.Name} lacks tenants who own wallets of this ledger, or were in the file when it was last read: {string.Join(", ", lacking.Take(NamedMax))}{(lacking.Count > NamedMax ? " and others" : "")}. "
                + "It is missing, an older copy, or another server's: restore it from its newest backup (ops/runbook.md, Backup)");
        _owners.UnionWith(file.Tenants.Select(t => t.Number));
        return new Snapshot(bytes, file.Keys.Select(ToKnown).ToFrozenDictionary(k => Hash256.Read(k.Hash)), file.Tenants);
    }

    private KeyFileException Unusable() => new($"{_place.Name} cannot be used");

    private static Known ToKnown(KeyRecord key)
    {
        // The file was refused if a scope were unknown.
        var scopes = ScopeNames.TryParse(key.Scopes, out var known) ? known : Scopes.None;
        return new Known(
            Convert.FromHexString(key.Sha256), new Principal(key.Tenant, scopes, key.Id), key.Expires, key.Revoked is not null);
    }
}
