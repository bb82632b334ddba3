using Bitcache.Engine.Partitions;

namespace Bitcache.Cli.Commands;

internal static class IdCommand
{
    public static Command Create()
    {
        var command = new Command("id", "Make an id, a UUID of version 7, for requests of your own.");
        command.SetAction(parsed => parsed.InvocationConfiguration.Output.WriteLine(ClientIds.Next(TimeProvider.System)));
        return command;
    }
}
