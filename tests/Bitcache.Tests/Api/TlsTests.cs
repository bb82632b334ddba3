using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bitcache.Engine;
using Bitcache.Server;
using Bitcache.Server.Settings;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bitcache.Tests.Api;

[Trait("suite", "core")]
[Collection("api")]
public sealed class TlsTests(ApiFixture api) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task With_a_certificate_the_API_speaks_HTTPS_and_HTTP_2()
    {
        var cancel = TestContext.Current.CancellationToken;
        using var certificate = WriteCertificate();
        var settings = new ServerSettings
        {
            Engine = new EngineSettings { DataFolder = api.DataFolder, Origin = "ledger.test/log" },
            Listen = new IPEndPoint(IPAddress.Loopback, 0),
            TlsCertificateFile = _folder.File("cert.pem"),
            TlsKeyFile = _folder.File("key.pem"),
        };
        await using var server = await BitcacheServer.StartAsync(settings, api.Engine, TimeProvider.System, NullLoggerFactory.Instance, cancel);
        Assert.Equal("https", server.Address.Scheme);
        using var handler = new SocketsHttpHandler { UseProxy = false };
        handler.SslOptions.RemoteCertificateValidationCallback = (_, presented, _, _) => presented!.GetCertHashString() == certificate.GetCertHashString();
        using var http = new HttpClient(handler);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server.Address, "/v1/health")) { Version = HttpVersion.Version20 };
        using var answer = await http.SendAsync(request, cancel);
        Assert.Equal((HttpStatusCode.OK, HttpVersion.Version20), (answer.StatusCode, answer.Version));
    }

    [Fact]
    public void A_pair_that_cannot_be_used_is_a_problem_of_the_settings()
    {
        using var certificate = WriteCertificate();
        Assert.DoesNotContain(Problems(), p => p.Contains("tls", StringComparison.Ordinal));
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        foreach (var key in new[] { "", "no key", other.ExportPkcs8PrivateKeyPem() })
        {
            File.WriteAllText(_folder.File("key.pem"), key);
            Assert.Contains("cannot be used together", Assert.Single(Problems(), p => p.Contains("tls", StringComparison.Ordinal)), StringComparison.Ordinal);
        }

        IReadOnlyList<string> Problems() => new ServerSettings
        {
            Engine = new EngineSettings { DataFolder = _folder.Path, Origin = "ledger.test/log" },
            TlsCertificateFile = _folder.File("cert.pem"),
            TlsKeyFile = _folder.File("key.pem"),
        }.Problems();
    }

    private X509Certificate2 WriteCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var now = TimeProvider.System.GetUtcNow();
        var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        File.WriteAllText(_folder.File("cert.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(_folder.File("key.pem"), key.ExportPkcs8PrivateKeyPem());
        return certificate;
    }
}
