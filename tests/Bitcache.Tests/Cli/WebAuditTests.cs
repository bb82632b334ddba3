// Audits over HTTP: of the server itself, of a folder behind a web server that knows nothing of it, and of servers that lie or stall.

using System.Net;
using Bitcache.Cli;
using Bitcache.Cli.Audit;
using Bitcache.Core.Audit;
using Bitcache.Tests.Api;
using Bitcache.Tests.Audit.Auditor;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Logging;

namespace Bitcache.Tests.Cli;

// On a server of its own: where others close epochs that nothing is stated about, no replay is kept.
[Trait("suite", "core")]
public sealed class WebAuditTests(ApiFixture api) : IClassFixture<ApiFixture>, IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(300);

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_server_is_audited_with_its_entries_at_its_own_address()
    {
        var (payer, payee) = (await api.NewWalletAsync(api.Shop, 10), await api.NewWalletAsync(api.Shop));
        for (var i = 0; i < 300; i++) Assert.Equal(201, (await api.TransferAsync(api.Shop, ApiFixture.NewId(), payer, payee, 1)).Status);
        await api.Engine.SettleAsync(Cancel);
        var (url, state) = (api.Address.ToString(), _folder.File("state"));
        var run = await CommandLineRun.OfAsync("audit", url, "--entries", url, "--key-file", await KeyAsync(api.Auditor), "--state", state);
        Assert.True(run.ExitCode == ExitCode.Done, run.Output + run.Error);
        Assert.Contains("entries are those that the log was made of", run.Output, StringComparison.Ordinal);

        await api.TransferAsync(api.Shop, ApiFixture.NewId(), payer, payee, 1);
        await api.Engine.SettleAsync(Cancel);
        run = await CommandLineRun.OfAsync("audit", url, "--entries", url, "--key-file", await KeyAsync(api.Auditor), "--state", state);
        Assert.True(run.ExitCode == ExitCode.Done, run.Output + run.Error);
        Assert.Contains("entries that are new are those that the log was made of", run.Output, StringComparison.Ordinal);

        // The entries are nobody's but auditors'.
        foreach (var key in new[] { api.Shop, api.Admin })
        {
            run = await CommandLineRun.OfAsync("audit", url, "--entries", url, "--key-file", await KeyAsync(key));
            Assert.Equal(ExitCode.Failed, run.ExitCode);
            Assert.Contains("a key of the scope audit is needed", run.Error, StringComparison.Ordinal);
        }
        run = await CommandLineRun.OfAsync("audit", url, "--entries", url, "--key-file", await KeyAsync("two\nlines"));
        Assert.Equal(ExitCode.Usage, run.ExitCode);
        Assert.Contains("a character that no key has", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_export_behind_any_web_server_is_audited()
    {
        var by = SampleOperator.Run();
        var export = SampleExport.Of(by);
        export.Open.WriteTo(_folder.File("export"));
        export.Auditors.WriteTo(_folder.File("auditor"));
        await using var server = await ServeAsync(app => app.UseStaticFiles(new StaticFileOptions { FileProvider = new PhysicalFileProvider(_folder.Path), ServeUnknownFileTypes = true }));
        var run = await CommandLineRun.OfAsync("audit", server.Urls.First() + "/export", "--entries", server.Urls.First() + "/auditor/");
        Assert.True(run.ExitCode == ExitCode.Done, run.Output + run.Error);
        Assert.Contains("3 anchors", run.Output, StringComparison.Ordinal);
        Assert.Contains("all that was given holds", run.Output, StringComparison.Ordinal);

        // What is not there is a finding, as in a folder.
        File.Delete(Path.Combine(_folder.File("export"), "epochs", "2", "reserves.json"));
        run = await CommandLineRun.OfAsync("audit", server.Urls.First() + "/export");
        Assert.Contains("[file-missing]", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_does_not_end_is_given_up_at_its_bound()
    {
        await using var server = await ServeAsync(app => app.Run(async context =>
        {
            var piece = new byte[64 << 10];
            while (!context.RequestAborted.IsCancellationRequested) await context.Response.Body.WriteAsync(piece, context.RequestAborted);
        }));
        using var folder = Open(server, TimeSpan.FromMinutes(1));
        Assert.Contains("has more than 1000000 bytes", Refusal(() => folder.Read("epochs/index.json", 1_000_000)), StringComparison.Ordinal);
        Assert.Contains("has more than 5000000 bytes", Refusal(() => folder.Read("epochs/1/liabilities.csv", 5_000_000, _ => true)), StringComparison.Ordinal);
        // Of what is wrong from its first bytes on no more is read.
        var reader = new LiabilityCsvReader();
        Assert.True(folder.Read("epochs/1/liabilities.csv", long.MaxValue, reader.Add));
        Assert.NotNull(reader.Finding);
    }

    [Fact]
    public async Task A_server_that_lies_about_a_length_is_not_believed()
    {
        await using var server = await ServeAsync(app => app.Run(async context =>
        {
            context.Response.ContentLength = context.Request.Path == "/huge" ? long.MaxValue : 1_000;
            await context.Response.Body.WriteAsync(new byte[10], context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            if (context.Request.Path == "/huge") await Gone(context);
            context.Abort();
        }));
        using var folder = Open(server, TimeSpan.FromMinutes(1));
        Assert.Contains("cannot be had", Refusal(() => folder.Read("checkpoint", 5_000)), StringComparison.Ordinal);
        Assert.Contains("has more than 5000 bytes", Refusal(() => folder.Read("huge", 5_000)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_server_that_stalls_is_given_up(bool begins)
    {
        await using var server = await ServeAsync(app => app.Run(async context =>
        {
            if (begins)
            {
                await context.Response.Body.WriteAsync(new byte[10], context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
            await Gone(context);
        }));
        using var folder = Open(server, Soon);
        Assert.Contains("the server is too slow, or does not end", Refusal(() => folder.Read("checkpoint", 5_000)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not()
    {
        var asked = 0;
        await using var server = await ServeAsync(app => app.Run(context =>
        {
            asked++;
            context.Response.StatusCode = context.Request.Path == "/busy" && asked < 3 ? StatusCodes.Status503ServiceUnavailable
                : context.Request.Path == "/busy" ? StatusCodes.Status200OK : StatusCodes.Status500InternalServerError;
            context.Response.Headers.RetryAfter = "0";
            return Task.CompletedTask;
        }));
        using var folder = Open(server, TimeSpan.FromMinutes(1));
        Assert.Empty(folder.Read("busy", 10)!);
        Assert.Equal(3, asked);
        Assert.Contains("the server answers 500", Refusal(() => folder.Read("checkpoint", 10)), StringComparison.Ordinal);
        Assert.Equal(4, asked);
    }

    [Fact]
    public async Task A_key_goes_nowhere_else()
    {
        var keys = new List<string>();
        await using var elsewhere = await ServeAsync(app => app.Run(context =>
        {
            keys.Add(context.Request.Headers.Authorization.ToString());
            return Task.CompletedTask;
        }));
        await using var server = await ServeAsync(app => app.Run(context =>
        {
            keys.Add(context.Request.Headers.Authorization.ToString());
            context.Response.Redirect(elsewhere.Urls.First() + "/checkpoint");
            return Task.CompletedTask;
        }));
        using var folder = Open(server, TimeSpan.FromMinutes(1), key: "bck_test_key");
        Assert.Contains("the server answers 302", Refusal(() => folder.Read("checkpoint", 10)), StringComparison.Ordinal);
        Assert.Equal(["Bearer bck_test_key"], keys);
    }

    private static WebFolder Open(WebApplication server, TimeSpan patience, string? key = null) => new(new Uri(server.Urls.First()), key, patience, TimeProvider.System, Cancel);

    /// <summary>Waits until the client has gone.</summary>
    private static Task Gone(HttpContext context) => Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);

    private static string Refusal(Func<object?> read) => Assert.Throws<CommandFailedException>(() => read()).Message;

    private async Task<string> KeyAsync(string key)
    {
        var path = _folder.File("key");
        await File.WriteAllTextAsync(path, key + "\n", Cancel);
        return path;
    }

    private static async Task<WebApplication> ServeAsync(Action<WebApplication> configure)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrel(options => options.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        configure(app);
        await app.StartAsync(Cancel);
        return app;
    }
}
