// Transactions that are signed elsewhere: out of the server as files that signers read (BIP-174), and back.

using System.CommandLine;
using System.Globalization;
using System.Text;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Commands;

internal static class SigningCommands
{
    public static Command CreateList()
    {
        var folder = new Option<DirectoryInfo>("--out") { Description = "A folder that each is written to, as TXID.psbt.", HelpName = "folder" };
        var (before, limit) = (Inputs.Before(), Inputs.Limit());
        return ClientCommand.Create("signing", "Transactions that wait to be signed elsewhere.", [folder, limit, before], async session =>
        {
            var page = await session.Client.GetSigningAsync(session.Paging(before, limit), session.Cancel);
            if (session.Get(folder) is { } target) Write(target, page.Value.Items);
            session.Show(page, (p, output) =>
            {
                Columns.Write(output, ["transaction", "fee", "withdrawals", "epoch"], p.Items.Select(Row));
                Columns.WriteNext(output, p.Next);
            });
        });
    }

    public static Command CreateHandBack()
    {
        var file = new Argument<FileInfo>("file") { Description = "The signed PSBT, as bytes or in base64." };
        return ClientCommand.Create("signed", "Hand back a transaction that was signed elsewhere; it is sent at once.", [file], async session =>
        {
            var psbt = Read(session.Get(file)!, Limits.SignedBodyBytesMax);
            if (!Psbt.TryReadTransaction(psbt, out var transaction)) throw new CommandFailedException($"{session.Get(file)} is no PSBT", ExitCode.Usage);
            session.Show(
                await session.Client.HandBackAsync(transaction.Txid, Convert.ToBase64String(psbt), session.Cancel),
                (reply, output) => output.WriteLine($"{reply.Txid} is taken, and sent until it is in a block"));
        });
    }

    private static void Write(DirectoryInfo folder, IReadOnlyList<SigningReply> items)
    {
        folder.Create();
        foreach (var item in items) File.WriteAllBytes(Path.Combine(folder.FullName, item.Txid + ".psbt"), Convert.FromBase64String(item.Psbt));
    }

    /// <summary>Signers write either form.</summary>
    internal static byte[] Read(FileInfo file, int bytesMax)
    {
        if (!file.Exists) throw new CommandFailedException($"there is no file {file}", ExitCode.Usage);
        if (file.Length > bytesMax) throw new CommandFailedException($"{file} is no PSBT: it has {file.Length} bytes", ExitCode.Usage);
        var bytes = File.ReadAllBytes(file.FullName);
        var text = Encoding.Latin1.GetString(bytes).Trim();
        var decoded = new byte[text.Length];
        return Convert.TryFromBase64String(text, decoded, out var length) ? decoded[..length] : bytes;
    }

    private static string[] Row(SigningReply item) =>
        [item.Txid, Session.Sat(item.FeeSat), item.Withdrawals.ToString(CultureInfo.InvariantCulture), item.Epoch?.ToString(CultureInfo.InvariantCulture) ?? ""];
}
