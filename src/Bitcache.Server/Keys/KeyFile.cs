// keys.json: who may use this server. It holds no secret: of each key the SHA-256 alone. Keys and tenants are never
// removed from it, because a tenant's number stands in the ledger for ever and must not go to somebody else.

using System.Text.Json;
using System.Text.Json.Serialization;
using Bitcache.Core;

namespace Bitcache.Server.Keys;

/// <summary>An owner of wallets. Number 0 is the operator.</summary>
public sealed record Tenant(uint Number, string Name);

/// <summary>An API key, as it is stored.</summary>
/// <param name="Id">Names the key in lists and when it is revoked; no secret.</param>
/// <param name="Label">What the key is for, in its owner's words.</param>
/// <param name="Sha256">Of the whole key, in hex.</param>
/// <param name="Expires">From then on it is refused; null for never.</param>
/// <param name="Revoked">When it was revoked; null while it is good.</param>
public sealed record KeyRecord(
    string Id, string Label, uint Tenant, IReadOnlyList<string> Scopes, string Sha256,
    DateTimeOffset Created, DateTimeOffset? Expires = null, DateTimeOffset? Revoked = null);

/// <summary>The file cannot be used: the message says why, for the operator.</summary>
public sealed class KeyFileException(string message, Exception? cause = null) : Exception(message, cause);

public sealed record KeyFile(int Version, IReadOnlyList<Tenant> Tenants, IReadOnlyList<KeyRecord> Keys)
{
    public const string Name = "keys.json";
    private const int CurrentVersion = 1;
    private const string OperatorName = "operator";

    public static KeyFile Empty { get; } = new(CurrentVersion, [new Tenant(Ledger.OperatorTenant, OperatorName)], []);

    public Tenant? FindTenant(string name) => Tenants.FirstOrDefault(t => t.Name == name);

    public byte[] Write() => [.. JsonSerializer.SerializeToUtf8Bytes(this, KeyFileJson.Default.KeyFile), (byte)'\n'];

    /// <exception cref="KeyFileException">Anything but a key file of this version, as this program writes it.</exception>
    public static KeyFile Read(ReadOnlySpan<byte> bytes)
    {
        KeyFile file;
        try
        {
            file = JsonSerializer.Deserialize(bytes, KeyFileJson.Default.KeyFile) ?? throw new KeyFileException("it holds null");
        }
        catch (JsonException e)
        {
            throw new KeyFileException(e.Message, e);
        }
        Require(file.Version == CurrentVersion, $"it has version {file.Version}, this program reads {CurrentVersion}");
        Require(file.Tenants.All(t => t is not null) && file.Keys.All(k => k is not null && k.Scopes.All(s => s is not null)), "a list in it holds null");
        Require(file.Tenants.DistinctBy(t => t.Number).Count() == file.Tenants.Count, "two tenants have one number");
        Require(file.Tenants.DistinctBy(t => t.Name).Count() == file.Tenants.Count, "two tenants have one name");
        Require(file.Tenants.Any(t => t.Number == Ledger.OperatorTenant), $"it lacks the operator, who is tenant {Ledger.OperatorTenant}");
        Require(file.Keys.DistinctBy(k => k.Id).Count() == file.Keys.Count, "two keys have one id");
        Require(file.Keys.DistinctBy(k => k.Sha256, StringComparer.OrdinalIgnoreCase).Count() == file.Keys.Count, "a key stands in it twice");
        foreach (var key in file.Keys)
        {
            Require(file.Tenants.Any(t => t.Number == key.Tenant), $"key {key.Id} is of tenant {key.Tenant}, which is not listed");
            Require(ScopeNames.TryParse(key.Scopes, out var scopes), $"key {key.Id} has an unknown scope, or none");
            Require(key.Tenant == Ledger.OperatorTenant || (scopes & ScopeNames.OperatorOnly) == 0, $"key {key.Id} has a scope of the operator");
            Require(Hash256.TryParse(key.Sha256, out _), $"key {key.Id} has no SHA-256");
        }
        return file;
    }

    private static void Require(bool holds, string problem)
    {
        if (!holds) throw new KeyFileException(problem);
    }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict,
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n",
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(KeyFile))]
internal sealed partial class KeyFileJson : JsonSerializerContext;
