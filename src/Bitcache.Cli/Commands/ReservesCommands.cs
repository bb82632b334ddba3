// Reserves: the operator has them proven, and auditors hand what was published to a node of their own, line by line as
// `bitcoin-cli -stdin` reads arguments.

using System.CommandLine;
using System.Text.Json.Nodes;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Engine.Bitcoin;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Commands;

internal static class ReservesCommands
{
    private static readonly Argument<DirectoryInfo> Folder = new("folder") { Description = "An epoch's folder in an export: epochs/N." };

    private static readonly Option<FileInfo> PinsFile = new("--pins")
    {
        Description = "The log's pins, as you wrote them down; without it pins.json of the export.",
        HelpName = "file",
    };

    public static Command Create() => new("reserves", "What an epoch's coins are, for a node of your own to look at.") { CreateScripts(), CreateSignatures() };

    /// <summary>The operator's command.</summary>
    public static Command CreateProve()
    {
        var epoch = new Argument<long>("epoch") { Description = "The epoch whose coins are to be signed for." };
        var signed = new Option<FileInfo[]>("--signed")
        {
            Description = "What others signed, as bytes or in base64; cosigners of one coin together.",
            HelpName = "file",
            AllowMultipleArgumentsPerToken = true,
        };
        var unsigned = new Option<FileInfo>("--out") { Description = "Where the PSBT goes that others have to sign, if anybody has to.", HelpName = "file" };
        return ClientCommand.Create(
            "prove-reserves", "Prove that the keys of an epoch's coins are at hand (BIP-127): the node's wallet signs what it can, others the rest.",
            [epoch, signed, unsigned],
            async session =>
            {
                var number = session.Get(epoch);
                if (session.Get(signed) is { Length: > 0 } files)
                {
                    var psbts = files.Select(file => Convert.ToBase64String(SigningCommands.Read(file, Limits.ReservesBodyBytesMax))).ToArray();
                    session.Show(await session.Client.HandBackReservesAsync(number, psbts, session.Cancel), Write);
                    return;
                }
                var reply = await session.Client.SignReservesAsync(number, session.Cancel);
                if (session.Get(unsigned) is { } target && reply.Value.Psbt is { } psbt) await File.WriteAllBytesAsync(target.FullName, Convert.FromBase64String(psbt), session.Cancel);
                session.Show(reply, (proof, output) =>
                {
                    Write(proof, output);
                    if (proof.Psbt is not null) output.WriteLine(session.Get(unsigned) is { } file ? $"they are to sign {file}; hand it back with --signed" : "--out writes what they are to sign");
                });
            });
    }

    private static void Write(ReservesProofReply proof, TextWriter output) => output.WriteLine(
        proof.State == "proven" ? $"proven: the keys of all {proof.Coins} coins of {Session.Sat(proof.TotalSat)} signed '{proof.Message}'"
            : $"{proof.Coins - proof.Unsigned} of {proof.Coins} coins are signed; {proof.Unsigned} wait for others");

    private static Command CreateScripts()
    {
        var command = new Command("scripts", "The scripts of an epoch's coins: pipe them into 'bitcoin-cli -stdin scantxoutset start', which finds what lies there now.") { Folder, PinsFile };
        command.SetAction(parsed =>
        {
            var scripts = Read(parsed).Coins.Select(coin => coin.Script.ToString()).Distinct();
            parsed.InvocationConfiguration.Output.WriteLine(new JsonArray([.. scripts.Select(script => (JsonNode)$"raw({script})")]).ToJsonString());
        });
        return command;
    }

    private static Command CreateSignatures()
    {
        var command = new Command("signatures", "An epoch's proof of reserves: pipe it into 'bitcoin-cli -stdin signrawtransactionwithkey', which checks it without keys.") { Folder, PinsFile };
        command.SetAction(parsed =>
        {
            var reserves = Read(parsed);
            var path = Path.Combine(parsed.GetRequiredValue(Folder).FullName, ReservesProof.FileName);
            if (ReservesProof.TryRead(Inputs.ReadFile(path, Limits.ReservesProofBytesMax), reserves, mustBeWhole: true, out var proof, out var refusal) != ReservesProofFault.None)
                throw new CommandFailedException($"{path}: {refusal}");
            var output = parsed.InvocationConfiguration.Output;
            output.WriteLine(Convert.ToHexStringLower(proof!.ToTransaction()));
            // No keys; and what each input spends, so that the node needs not know these coins any more.
            output.WriteLine("[]");
            output.WriteLine(new JsonArray([.. proof.Spent.Select(NodeJson.ToJson)]).ToJsonString());
        });
        return command;
    }

    private static ReservesFile Read(ParseResult parsed)
    {
        var folder = parsed.GetRequiredValue(Folder).FullName;
        var path = Path.Combine(folder, ReservesFile.Name);
        var from = parsed.GetValue(PinsFile)?.FullName ?? Path.GetFullPath(Path.Combine(folder, "..", "..", "pins.json"));
        return ReservesFile.TryParse(Inputs.ReadFile(path, int.MaxValue), AuditCommand.ReadPins(from).Origin, out var reserves, out var refusal) ? reserves : throw new CommandFailedException($"{path}: {refusal}");
    }
}
