// What HTTP and JSON cost without a ledger: the server's own host, with one route that reads the body of a payment and
// answers a few members. It runs as a process of its own, as the server does.

using System.CommandLine;
using System.Net;
using System.Text.Json.Serialization;
using Bitcache.Cli.Commands;
using Bitcache.Engine;
using Bitcache.Server;
using Bitcache.Server.Api;
using Bitcache.Server.Settings;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Bitcache.Benchmarks.Http;

internal static class EmptyEndpoint
{
    public const string CommandName = "empty-endpoint";
    public const string Route = "/v1/transfers";

    public static Command Create()
    {
        var command = new Command(CommandName, "Serves the empty endpoint that `http` is measured beside.") { Hidden = true };
        command.SetAction((_, stop) => ServeAsync(stop));
        return command;
    }

    private static async Task ServeAsync(CancellationToken stop)
    {
        using var logs = LoggerFactory.Create(ServeCommand.ConfigureLogs);
        var settings = new ServerSettings
        {
            Engine = new EngineSettings { DataFolder = "", Origin = "" },
            Listen = new IPEndPoint(IPAddress.Loopback, 0),
        };
        await using var app = BitcacheServer.Build(settings, logs);
        app.MapMethods(Route, [HttpMethods.Post], AnswerAsync);
        await app.StartAsync(stop);
        Console.WriteLine(ServeCommand.ListeningLine + app.Urls.Single());
        await app.WaitForShutdownAsync(stop);
    }

    private static async Task AnswerAsync(HttpContext http)
    {
        var request = await http.Request.ReadFromJsonAsync(EmptyJson.Default.TransferRequest, http.RequestAborted);
        await http.Response.WriteAsJsonAsync(new EmptyReply(request!.Id, request.AmountMsat), EmptyJson.Default.EmptyReply, null, http.RequestAborted);
    }
}

/// <summary>What the empty endpoint answers.</summary>
internal sealed record EmptyReply(string Id, long AmountMsat);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(TransferRequest))]
[JsonSerializable(typeof(EmptyReply))]
internal sealed partial class EmptyJson : JsonSerializerContext;
