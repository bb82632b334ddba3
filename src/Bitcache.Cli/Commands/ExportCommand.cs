// `bitcache export`: the published log as files, from a running server.

using System.CommandLine;
using System.Globalization;
using Bitcache.Engine.Export;
using Bitcache.Engine.Files;

namespace Bitcache.Cli.Commands;

internal static class ExportCommand
{
    public static Command Create()
    {
        var open = new Option<DirectoryInfo>("--out") { Description = "The public folder: checkpoint, key, pins and tiles. Any web server can publish it.", HelpName = "folder", Required = true };
        var auditors = new Option<DirectoryInfo>("--auditor") { Description = "The auditors' folder: the entries themselves. It needs a key with the scope audit.", HelpName = "folder" };
        return ClientCommand.Create(
            "export", "Write the published log into folders, or bring them up to date. What is written is verified first.", [open, auditors],
            async session =>
            {
                // Who publishes the one would publish the other.
                if (session.Get(auditors) is { } inside && (inside.FullName + '/').StartsWith(session.Get(open)!.FullName.TrimEnd('/') + '/', StringComparison.Ordinal))
                    throw new CommandFailedException("the auditors' folder lies in the public one", ExitCode.Usage);
                try
                {
                    var files = new LinuxFileSystem();
                    using var everybodys = new ExportFolder(files, session.Get(open)!.FullName, isPublic: true);
                    using var authorised = session.Get(auditors) is { } folder ? new ExportFolder(files, folder.FullName, isPublic: false) : null;
                    var epochs = new EpochExportReport(0, 0);
                    var report = await new LogExport(session.Client.GetPublishedAsync, everybodys, authorised).RunAsync(
                        session.Cancel, async cancel => epochs = await new EpochExport(session.Client.FindPublishedAsync, everybodys, authorised).RunAsync(cancel));
                    session.Output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"{report.Size} entries, {report.Size - report.Before} of them new: {report.Tiles} tiles and {report.Bundles} bundles written; {epochs.Epochs} epochs, {epochs.Files} files written"));
                }
                catch (Exception e) when (e is ExportContradictionException or IOException or UnauthorizedAccessException)
                {
                    throw new CommandFailedException(e.Message);
                }
            });
    }
}
