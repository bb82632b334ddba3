// Keys are made where the data folder is, or in the database that silos share, beside the running servers, which read the list
// again within a second.

using System.CommandLine;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;
using Bitcache.Engine.Files;
using Bitcache.Server.Keys;
using Bitcache.Server.Settings;

namespace Bitcache.Cli.Commands;

internal static class KeyCommands
{
    private static readonly Option<DirectoryInfo> Data = new("--data") { Description = "The server's data folder.", HelpName = "folder" };

    /// <summary>The first key may come before the server's first start.</summary>
    private static readonly Option<DirectoryInfo> DataToMake = new("--data")
    {
        Description = "The server's data folder; made, for its owner alone, if it is not there.",
        HelpName = "folder",
    };

    private static readonly Option<FileInfo> Config = new("--config")
    {
        Description = "Or its settings file: of a silo, whose keys are in the database that all silos share, and of any other server.",
        HelpName = "file",
    };

    private static readonly Option<string> Network = new Option<string>("--network")
    {
        Description = "The server's network: keys of mainnet begin with bck_live_, all others with bck_test_.",
        DefaultValueFactory = _ => "regtest",
    }.AcceptOnlyFromAmong("mainnet", "testnet", "signet", "regtest");

    public static Command Create() => new("key", "API keys: who may use the server.") { CreateCreate(), CreateList(), CreateRevoke() };

    private static Command CreateCreate()
    {
        var tenant = new Option<string>("--tenant") { Description = "The owner of the wallets that the key is for; 'operator' is always there.", Required = true };
        var isNew = new Option<bool>("--new-tenant") { Description = "The owner is a new one." };
        var scopes = new Option<string>("--scopes")
        {
            Description = "What the key may do, such as read,pay. There are read, pay, withdraw; of the operator's keys only: admin, audit.",
            HelpName = "read,pay,…",
            Required = true,
        };
        var label = new Option<string>("--label") { Description = "What the key is for.", Required = true };
        var days = new Option<int?>("--days") { Description = "For how many days it is good; without it for ever." };
        var command = new Command("create", "Make a key. It is printed once and stored nowhere: the server keeps its hash.")
        {
            DataToMake, Config, Network, tenant, isNew, scopes, label, days,
        };
        command.SetAction(parsed =>
        {
            if (!ScopeNames.TryParse(parsed.GetRequiredValue(scopes).Split(','), out var granted))
                throw new CommandFailedException("--scopes must be some of read, pay, withdraw, admin, audit, with commas between", ExitCode.Usage);
            var validFor = parsed.GetValue(days) is { } count ? TimeSpan.FromDays(count) : (TimeSpan?)null;
            using var store = KeyStore.Open(parsed, DataToMake, mayMake: true);
            var created = store.Keys.Create(new KeyTerms(
                parsed.GetRequiredValue(tenant), parsed.GetValue(isNew), granted, parsed.GetRequiredValue(label), validFor));
            parsed.InvocationConfiguration.Output.WriteLine(created.Secret);
            parsed.InvocationConfiguration.Error.WriteLine($"key {created.Record.Id}: keep it now, it is not shown again");
        });
        return command;
    }

    private static Command CreateList()
    {
        var command = new Command("list", "All keys, the revoked ones too.") { Data, Config, Network };
        command.SetAction(parsed =>
        {
            using var store = KeyStore.Open(parsed, Data, mayMake: false);
            var file = store.Keys.List();
            Columns.Write(
                parsed.InvocationConfiguration.Output, ["key", "tenant", "scopes", "created", "expires", "revoked", "label"],
                file.Keys.Select(k => (string[])
                [
                    k.Id, file.Tenants.Single(t => t.Number == k.Tenant).Name, string.Join(',', k.Scopes), Day(k.Created), Day(k.Expires), Day(k.Revoked), k.Label,
                ]));
        });
        return command;
    }

    private static Command CreateRevoke()
    {
        var id = new Argument<string>("key") { Description = "The key's id, as the list shows it." };
        var command = new Command("revoke", "Revoke a key: a running server refuses it within a second.") { id, Data, Config, Network };
        command.SetAction(parsed =>
        {
            using var store = KeyStore.Open(parsed, Data, mayMake: false);
            var key = store.Keys.Revoke(parsed.GetRequiredValue(id));
            parsed.InvocationConfiguration.Output.WriteLine($"key {key.Id} ({key.Label}) is revoked since {key.Revoked:u}");
        });
        return command;
    }

    private static string Day(DateTimeOffset? time) => time is { } t ? t.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture) : "";

    /// <summary>The list of keys that a command is about.</summary>
    private sealed class KeyStore(ApiKeyStore keys, IDisposable? database) : IDisposable
    {
        public ApiKeyStore Keys => keys;

        public static KeyStore Open(ParseResult parsed, Option<DirectoryInfo> data, bool mayMake)
        {
            var (folder, config) = (parsed.GetValue(data), parsed.GetValue(Config));
            if ((folder is null) == (config is null)) throw new CommandFailedException("give --data with the server's data folder, or --config with its settings file", ExitCode.Usage);
            if (config is null) return InFolder(folder!.FullName, Enum.Parse<BitcoinNetwork>(parsed.GetRequiredValue(Network), ignoreCase: true), mayMake);
            var settings = SettingsFile.Load(config.FullName, []).Engine;
            if (settings.Cluster.Length == 0) return InFolder(settings.DataFolder, settings.Network, mayMake);
            var database = LedgerEngine.OpenSharedDatabase(settings);
            return new KeyStore(new ApiKeyStore(new KeyTable(database), settings.Network, TimeProvider.System), database);
        }

        public void Dispose() => database?.Dispose();

        private static KeyStore InFolder(string folder, BitcoinNetwork network, bool mayMake)
        {
            var files = new LinuxFileSystem();
            if (!mayMake && !files.FolderExists(folder)) throw new CommandFailedException($"the folder {folder} does not exist", ExitCode.Usage);
            try
            {
                DurableFolder.Ensure(files, folder);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CommandFailedException($"the data folder cannot be made: {e.Message}");
            }
            return new KeyStore(new ApiKeyStore(files, folder, network, TimeProvider.System), null);
        }
    }
}
