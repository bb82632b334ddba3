// How the list of keys is changed: by the command line, while the server runs.

using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Files;

namespace Bitcache.Server.Keys;

/// <summary>What a new key is to be.</summary>
/// <param name="Tenant">The owner's name.</param>
/// <param name="NewTenant">Whether the owner is a new one; otherwise it must be known, so that a typo makes nobody.</param>
public sealed record KeyTerms(string Tenant, bool NewTenant, Scopes Scopes, string Label, TimeSpan? ValidFor = null);

/// <summary>A key just made. <paramref name="Secret"/> is shown now and never again.</summary>
public sealed record CreatedKey(string Secret, KeyRecord Record);

public sealed class ApiKeyStore(KeyPlace place, BitcoinNetwork network, TimeProvider time)
{
    private const int IdBytes = 4;

    /// <summary>Over the list in a data folder.</summary>
    public ApiKeyStore(IFileSystem files, string dataFolder, BitcoinNetwork network, TimeProvider time) : this(new KeyFolder(files, dataFolder), network, time)
    {
    }

    /// <exception cref="KeyFileException">The terms are refused, or the file cannot be used.</exception>
    public CreatedKey Create(KeyTerms terms)
    {
        Require(IsName(terms.Tenant), $"the tenant's name must have 1 to {Limits.KeyNameCharactersMax} characters, none of them a control character");
        Require(IsName(terms.Label), $"the label must have 1 to {Limits.KeyNameCharactersMax} characters, none of them a control character");
        Require(terms.Scopes != Scopes.None, "a key needs at least one scope: read, pay, withdraw, admin, audit");
        Require(terms.ValidFor is null || terms.ValidFor > TimeSpan.Zero, "a key must be valid for some time");
        var secret = ApiKey.Create(network);
        KeyRecord? record = null;
        Change(file =>
        {
            var tenant = file.FindTenant(terms.Tenant);
            if (terms.NewTenant)
            {
                Require(tenant is null, $"there is a tenant '{terms.Tenant}' already");
                tenant = new Tenant(NewNumber(file), terms.Tenant);
                file = file with { Tenants = [.. file.Tenants, tenant] };
            }
            Require(tenant is not null, $"there is no tenant '{terms.Tenant}': known are {string.Join(", ", file.Tenants.Select(t => t.Name))}; --new-tenant makes one");
            Require(tenant!.Number == Ledger.OperatorTenant || (terms.Scopes & ScopeNames.OperatorOnly) == 0,
                "the scopes admin and audit are for keys of the tenant 'operator' only");
            var now = time.GetUtcNow();
            record = new KeyRecord(
                NewId(file), terms.Label, tenant.Number, terms.Scopes.ToNames(), ApiKey.Hash(secret).ToString(), now, now + terms.ValidFor);
            return file with { Keys = [.. file.Keys, record] };
        });
        return new CreatedKey(secret, record!);
    }

    /// <summary>Revokes a key by its id. A running server refuses it within a second.</summary>
    /// <returns>The key; revoked long ago, with the time of then.</returns>
    /// <exception cref="KeyFileException">There is no such key, or the file cannot be used.</exception>
    public KeyRecord Revoke(string id)
    {
        KeyRecord? revoked = null;
        Change(file =>
        {
            var key = file.Keys.FirstOrDefault(k => k.Id == id);
            Require(key is not null, $"there is no key with the id '{id}'");
            revoked = key!.Revoked is null ? key with { Revoked = time.GetUtcNow() } : key;
            return file with { Keys = [.. file.Keys.Select(k => k.Id == id ? revoked : k)] };
        });
        return revoked!;
    }

    /// <summary>All tenants and keys, the revoked and expired ones too.</summary>
    public KeyFile List() => Parse(place, place.Read());

    /// <summary>Where there is no list, nobody has a key yet.</summary>
    internal static KeyFile Parse(KeyPlace place, byte[]? bytes)
    {
        try
        {
            return bytes is null ? KeyFile.Empty : KeyFile.Read(bytes);
        }
        catch (KeyFileException e)
        {
            throw new KeyFileException($"{place.Name} cannot be used: {e.Message}", e);
        }
    }

    private void Change(Func<KeyFile, KeyFile> change) => place.Change(bytes => change(Parse(place, bytes)).Write());

    /// <summary>Drawn, not counted: whoever makes the file again after it was lost must not by chance give one tenant the
    /// number, and with it the wallets, of another.</summary>
    private static uint NewNumber(KeyFile file)
    {
        uint number;
        do number = BitConverter.ToUInt32(RandomNumberGenerator.GetBytes(sizeof(uint)));
        while (number == Ledger.OperatorTenant || file.Tenants.Any(t => t.Number == number));
        return number;
    }

    private static string NewId(KeyFile file)
    {
        string id;
        do id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(IdBytes));
        while (file.Keys.Any(k => k.Id == id));
        return id;
    }

    private static bool IsName(string text) => text.Length is > 0 and <= Limits.KeyNameCharactersMax && PlainText.IsPlain(text);

    private static void Require(bool holds, string problem)
    {
        if (!holds) throw new KeyFileException(problem);
    }
}
