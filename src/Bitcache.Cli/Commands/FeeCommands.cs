using System.CommandLine;
using System.Globalization;
using Bitcache.Core;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Commands;

internal static class FeeCommands
{
    public static Command Create() => new("fees", "What the operator takes for payments, tenant by tenant.") { CreateShow(), CreateSet() };

    private static Command CreateShow() => ClientCommand.Create("show", "What each tenant's wallets pay.", [], async session =>
        session.Show(await session.Client.GetFeesAsync(session.Cancel), (page, output) => Write(page.Items, output)));

    private static Command CreateSet()
    {
        var tenant = new Argument<string>("tenant") { Description = "The tenant's name, as its keys have it." };
        var flat = Inputs.AmountOption("--flat", "What each payment costs, whatever its amount; nothing if it is not given.");
        var minimum = Inputs.AmountOption("--minimum", "What a payment costs at least.");
        var parts = new Option<long>("--ppm") { Description = "Which part of the amount it costs on top of that, in millionths.", HelpName = "parts per million" };
        parts.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<long>() is < 0 or > Limits.FeePartsPerMillionMax) result.AddError($"--ppm must lie between 0 and {Limits.FeePartsPerMillionMax}.");
        });
        var id = Inputs.Id();
        return ClientCommand.Create("set", "Set what a tenant's wallets pay, in place of what they paid.", [tenant, flat, parts, minimum, id], async session =>
        {
            var fees = new FeesRequest(
                session.ChooseId(id).ToString(), session.Get(tenant)!, session.Get(flat)?.Value, session.Get(parts), session.Get(minimum)?.Value);
            session.Show(await session.Client.SetFeesAsync(fees, session.Cancel), (set, output) => Write([set], output));
        });
    }

    private static void Write(IEnumerable<FeesReply> fees, TextWriter output) => Columns.Write(
        output, ["tenant", "flat", "parts per million", "at least"],
        fees.Select(f => (string[])[f.Tenant, Session.Bits(f.FlatMsat), f.PartsPerMillion.ToString(CultureInfo.InvariantCulture), Session.Bits(f.MinimumMsat)]));
}
