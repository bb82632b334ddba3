// How keys.json is changed: by the command line, while the server runs. The new file is complete and durable under
// another name before it takes the old one's place, so that a reader finds the old keys or the new ones.

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

public sealed class ApiKeyStore(IFileSystem files, string dataFolder, BitcoinNetwork network, TimeProvider time)
{
    private const int IdBytes = 4;
    private readonly string _path = Path.Combine(dataFolder, KeyFile.Name);

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
    public KeyFile List() => Load(_path);

    /// <summary>Reads the file; where there is none, nobody has a key yet.</summary>
    internal static KeyFile Load(string path) => ReadBytes(path) is { } bytes ? Parse(path, bytes) : KeyFile.Empty;

    internal static byte[]? ReadBytes(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KeyFileException($"{path} cannot be read: {e.Message}", e);
        }
    }

    internal static KeyFile Parse(string path, byte[] bytes)
    {
        try
        {
            return KeyFile.Read(bytes);
        }
        catch (KeyFileException e)
        {
            throw new KeyFileException($"{path} cannot be used: {e.Message}", e);
        }
    }

    private void Change(Func<KeyFile, KeyFile> change)
    {
        using var alone = files.TryLock(_path + ".lock")
            ?? throw new KeyFileException($"another process is changing {_path}; try again when it is done");
        WholeFile.Write(files, dataFolder, KeyFile.Name, change(Load(_path)).Write());
    }

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
