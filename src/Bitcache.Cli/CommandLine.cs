// All commands under one root, and what becomes of their failures: words on the error output, and an exit code.

using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Bitcache.Cli.Client;
using Bitcache.Cli.Commands;
using Bitcache.Engine;
using Bitcache.Server.Api;
using Bitcache.Server.Keys;

namespace Bitcache.Cli;

internal static class CommandLine
{
    /// <summary>Runs one command line; the result is the process's exit code.</summary>
    /// <param name="more">Commands of a program that has others beside these.</param>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, CancellationToken stop, params Command[] more)
    {
        var parsed = Root(more).Parse(args);
        // Signals are ours: the library would end a server that takes more than two seconds to stop.
        var invocation = new InvocationConfiguration
        {
            Output = output,
            Error = error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        };
        // Also before --help, which would show the help of what was understood and call that a success.
        if (parsed.CommandResult.Command.Subcommands.Count > 0 && parsed.UnmatchedTokens is [var unknown, ..])
        {
            await error.WriteLineAsync($"bitcache: there is no command '{unknown}'; --help lists them");
            return ExitCode.Usage;
        }
        if (parsed.Action is ParseErrorAction refused)
        {
            refused.ShowHelp = args.Length == 0;
            await parsed.InvokeAsync(invocation, stop);
            return ExitCode.Usage;
        }
        try
        {
            return await parsed.InvokeAsync(invocation, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return ExitCode.Interrupted;
        }
        catch (ApiProblemException e)
        {
            await WriteAsync(e, error);
            return ExitCode.Failed;
        }
        catch (SettingsException e)
        {
            foreach (var problem in e.Problems) await error.WriteLineAsync($"bitcache: {problem}");
            return ExitCode.Usage;
        }
        catch (CommandFailedException e)
        {
            await error.WriteLineAsync($"bitcache: {e.Message}");
            return e.ExitCode;
        }
        catch (Exception e) when (e is ServerUnreachableException or AnswerLostException or KeyFileException)
        {
            await error.WriteLineAsync($"bitcache: {e.Message}");
            return ExitCode.Failed;
        }
    }

    private static RootCommand Root(IReadOnlyList<Command> more)
    {
        var root = new RootCommand("Bitcache: a private ledger for payments far below a cent, settled in Bitcoin.");
        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithNotes((HelpAction)help.Action!);
        foreach (var command in Commands().Concat(more).Concat(LauncherCommands.All(more))) root.Add(command);
        return root;
    }

    private static IEnumerable<Command> Commands() =>
    [
        ServeCommand.Create(),
        ReplayCommand.Create(),
        MigrateCommand.Create(),
        DemoCommand.Create(),
        SimulateCommand.Create(),
        WalletCommands.Create(),
        WalletCommands.CreateBalance(),
        PayCommand.Create(),
        SplitCommand.Create(),
        HoldCommands.Create(),
        RefundCommand.Create(),
        IdCommand.Create(),
        HistoryCommand.Create(),
        DepositCommands.CreateAddress(),
        DepositCommands.CreateDeposits(),
        DepositCommands.CreateRescan(),
        WithdrawCommands.CreateWithdraw(),
        WithdrawCommands.CreateQuote(),
        WithdrawCommands.CreateWithdrawals(),
        WithdrawCommands.CreateCancel(),
        EpochCommands.Create(),
        ReceiptCommand.Create(),
        BalanceProofCommand.Create(),
        VerifyCommand.Create(),
        AuditCommand.Create(),
        ReservesCommands.Create(),
        ExportCommand.Create(),
        KeyCommands.Create(),
        FeeCommands.Create(),
        OperatorCommands.Create(),
        SuspenseCommands.CreateList(),
        SuspenseCommands.CreateAssign(),
        FrozenCommands.CreateList(),
        FrozenCommands.CreateRelease(),
        FrozenCommands.CreateReverse(),
        HealthCommand.Create(),
    ];

    /// <summary>The library's help, and below it what is too long for the list of all commands.</summary>
    private sealed class HelpWithNotes(HelpAction help) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            var result = help.Invoke(parseResult);
            if (parseResult.CommandResult.Command.Name == ServeCommand.Name) parseResult.InvocationConfiguration.Output.WriteLine(ServeCommand.ExitCodes);
            return result;
        }
    }

    private static async Task WriteAsync(ApiProblemException refusal, TextWriter error)
    {
        var problem = refusal.Problem;
        var about = problem.Member is null ? "" : $" ({problem.Member})";
        await error.WriteLineAsync($"bitcache: {problem.Title}{about} [{problem.Code}]");
        if (problem.Detail is not null) await error.WriteLineAsync($"bitcache: {problem.Detail}");
        if (problem.Code == ProblemType.KeyMissing.Code) await error.WriteLineAsync("bitcache: give --key-file or set BITCACHE_KEY");
        if (problem.Scope is not null) await error.WriteLineAsync($"bitcache: it needs a key with the scope {string.Join(" or ", problem.Scope)}");
        if (problem.ServerTime is not null) await error.WriteLineAsync($"bitcache: the server's time is {problem.ServerTime}");
        if (problem.Sequence is { } sequence) await error.WriteLineAsync($"bitcache: entry {sequence} remembers this refusal: a new attempt needs a new id");
    }
}
