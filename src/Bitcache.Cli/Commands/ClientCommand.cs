// What every command that talks to a server has in common: where the server is, the key, and how answers are shown.

using System.CommandLine;
using Bitcache.Cli.Client;
using Bitcache.Core;
using Bitcache.Engine.Partitions;

namespace Bitcache.Cli.Commands;

/// <summary>One run of a client command.</summary>
internal sealed class Session(ParseResult parsed, ApiClient client, bool asJson, bool hasKey, CancellationToken cancel)
{
    public ApiClient Client => client;
    public bool HasKey => hasKey;
    public CancellationToken Cancel => cancel;
    public TextWriter Output => parsed.InvocationConfiguration.Output;

    /// <summary>The id under which something is asked for, once it is chosen.</summary>
    public OperationId? Id { get; private set; }

    public T? Get<T>(Option<T> option) => parsed.GetValue(option);
    public T? Get<T>(Argument<T> argument) => parsed.GetValue(argument);

    /// <summary>The id that the command line names, or a new one.</summary>
    public OperationId ChooseId(Option<OperationId?> option)
    {
        var id = Get(option) ?? ClientIds.Next(TimeProvider.System);
        Id = id;
        return id;
    }

    /// <summary>Shows an answer: as the server wrote it, or in words.</summary>
    public void Show<T>(Reply<T> reply, Action<T, TextWriter> inWords)
    {
        if (asJson) Output.WriteLine(reply.Json);
        else inWords(reply.Value, Output);
    }

    public static string Bits(long msat) => Amounts.Format(new Msat(msat), MoneyUnit.Bits);
    public static string Sat(long sat) => Amounts.Format(new Sats(sat).ToMsat(), MoneyUnit.Sat);
}

internal static class ClientCommand
{
    private const string DefaultUrl = "http://127.0.0.1:8440";

    private static readonly Option<Uri> Url = Inputs.Url("--url", $"The server's address; else BITCACHE_URL, else {DefaultUrl}.");

    private static readonly Option<string> Key = new("--key")
    {
        Description = "The API key; other users of this machine can see it here, so rather use --key-file or BITCACHE_KEY.",
        HelpName = "bck_…",
    };

    private static readonly Option<FileInfo> KeyFile = new("--key-file") { Description = "A file that holds the API key.", HelpName = "file" };
    private static readonly Option<bool> AsJson = new("--json") { Description = "Print the server's answer as it is." };

    private static readonly Option<int> Patience = new("--patience")
    {
        Description = "For how many seconds a request is sent again, under the same id, while its outcome is open.",
        HelpName = "seconds",
        DefaultValueFactory = _ => 30,
    };

    /// <param name="inputs">The command's own arguments and options, in the order in which help shows them.</param>
    public static Command Create(string name, string description, IEnumerable<Symbol> inputs, Func<Session, Task> run) =>
        Create(name, description, inputs, async session =>
        {
            await run(session);
            return ExitCode.Done;
        });

    /// <summary>As above, for a command whose result is an exit code.</summary>
    public static Command Create(string name, string description, IEnumerable<Symbol> inputs, Func<Session, Task<int>> run)
    {
        var command = new Command(name, description);
        foreach (var input in inputs)
        {
            if (input is Argument argument) command.Add(argument);
            else command.Add((Option)input);
        }
        foreach (var option in (Option[])[Url, Key, KeyFile, Patience, AsJson]) command.Add(option);
        command.SetAction((parsed, cancel) => RunAsync(parsed, run, cancel));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, Func<Session, Task<int>> run, CancellationToken cancel)
    {
        var key = FindKey(parsed.GetValue(KeyFile), parsed.GetValue(Key));
        using var connection = new ApiConnection(
            FindUrl(parsed), key, TimeSpan.FromSeconds(parsed.GetValue(Patience)), TimeProvider.System);
        using var client = new ApiClient(connection);
        var session = new Session(parsed, client, parsed.GetValue(AsJson), key is not null, cancel);
        try
        {
            return await run(session);
        }
        catch (AnswerLostException e) when (session.Id is { } id)
        {
            throw new CommandFailedException($"{e.Message}. To learn it, run the same command with --id {id}");
        }
    }

    private static Uri FindUrl(ParseResult parsed)
    {
        if (parsed.GetValue(Url) is { } given) return given;
        var text = Environment.GetEnvironmentVariable("BITCACHE_URL") is { Length: > 0 } set ? set : DefaultUrl;
        return Inputs.TryReadUrl(text, out var url)
            ? url
            : throw new CommandFailedException($"BITCACHE_URL is '{text}', which is no http or https address", ExitCode.Usage);
    }

    /// <summary>The key that is given, or that in a file or, without one, in the environment; null if there is none.</summary>
    public static string? FindKey(FileInfo? file, string? given = null)
    {
        var key = given ?? (file is not null ? ReadKey(file) : Environment.GetEnvironmentVariable("BITCACHE_KEY") is { Length: > 0 } set ? set : null);
        return key is null || key.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')
            ? key
            : throw new CommandFailedException("the API key holds a character that no key has: was more copied than the key?", ExitCode.Usage);
    }

    private static string ReadKey(FileInfo file)
    {
        try
        {
            return File.ReadAllText(file.FullName).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"the key file cannot be read: {e.Message}", ExitCode.Usage);
        }
    }
}
