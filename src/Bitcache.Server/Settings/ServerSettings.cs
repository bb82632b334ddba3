// Everything that a server is told from outside, in one record. docs/settings.md is written from the table in
// SettingsTable.cs; what is wrong with a set of settings is said all at once, before anything is opened.

using System.Net;
using Bitcache.Core;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine;

namespace Bitcache.Server.Settings;

/// <summary>Where the Bitcoin node is, and how it lets us in. The secret is a file's path, never a value.</summary>
public sealed record NodeSettings
{
    /// <summary>The node's RPC address.</summary>
    public Uri Url { get; init; } = new("http://127.0.0.1:18443");

    /// <summary>The node's own <c>.cookie</c>; or else <see cref="User"/> and <see cref="PasswordFile"/>.</summary>
    public string? CookieFile { get; init; }

    /// <summary>A user of the node's <c>rpcauth</c>.</summary>
    public string? User { get; init; }

    /// <summary>A file whose first line is the user's password.</summary>
    public string? PasswordFile { get; init; }

    /// <summary>The node's wallet that is ours alone.</summary>
    public string Wallet { get; init; } = "bitcache";

    /// <summary>How long one call may take; what takes longer has an unknown outcome.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Where the node announces its blocks, its <c>-zmqpubhashblock</c>; null if it does not.</summary>
    public Uri? ZmqBlock { get; init; }

    /// <summary>What is wrong with them.</summary>
    /// <param name="name">How their names begin: node, standby.</param>
    /// <param name="isTest">On a test network the password may cross any network.</param>
    internal IEnumerable<string> Problems(string name, bool isTest)
    {
        if (Url.Scheme is not ("http" or "https") || Url.UserInfo.Length > 0)
            yield return $"{name}Url must be an http or https address without user or password, such as http://127.0.0.1:8332";
        else if (!isTest && !Url.IsLoopback && Url.Scheme != "https")
            yield return $"{name}Url must be on this machine, or https: the node's password would cross the network in the clear";
        if (CookieFile is null ? User is null || PasswordFile is null : User is not null || PasswordFile is not null)
            yield return $"the node of {name}Url needs either {name}CookieFile, or {name}User and {name}PasswordFile";
        if (PasswordFile is not null && !File.Exists(PasswordFile)) yield return $"{name}PasswordFile: there is no file {PasswordFile}";
        if (Wallet.Length == 0) yield return $"{name}Wallet is empty: name the node's wallet that is Bitcache's alone";
        if (ZmqBlock is { } zmq && (zmq.Scheme != "tcp" || zmq.Port <= 0 || zmq.AbsolutePath is not ("" or "/")))
            yield return $"{name}ZmqBlock must be as in the node's zmqpubhashblock, such as tcp://127.0.0.1:28332";
    }
}

/// <summary>What one of the processes of a cluster is called, and where the others find it.</summary>
public sealed record SiloSettings
{
    /// <summary>Unique in the cluster.</summary>
    public string Name { get; init; } = "";

    /// <summary>Where the other silos reach it.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>For the other silos.</summary>
    public int Port { get; init; } = 11_111;

    /// <summary>The API, for the other silos; null if it is at <see cref="Address"/>, without TLS.</summary>
    public Uri? Url { get; init; }

    internal IEnumerable<string> Problems()
    {
        if (Name.Length is 0 or > Limits.ClusterNameCharactersMax || !Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.'))
            yield return $"silo must be 1 to {Limits.ClusterNameCharactersMax} letters, digits, '-' or '.'";
        if (Address.Equals(IPAddress.Any) || Address.Equals(IPAddress.IPv6Any)) yield return "siloAddress must be the address at which others reach this machine";
        if (Port is < 1 or > 65_535) yield return "siloPort must lie between 1 and 65535";
        if (Url is { } url && (url.Scheme is not ("http" or "https") || url.AbsolutePath != "/")) yield return "siloUrl must be an http or https address without a path, such as http://10.0.0.1:8440";
    }
}

public sealed record ServerSettings
{
    public required EngineSettings Engine { get; init; }

    public NodeSettings Node { get; init; } = new();

    /// <summary>Another node with the same hot wallet, which takes over when the first does not serve; null if there is none.</summary>
    public NodeSettings? Standby { get; init; }

    /// <summary>Given for a silo of <see cref="EngineSettings.Cluster"/> alone.</summary>
    public SiloSettings? Silo { get; init; }

    /// <summary>The address and port of the HTTP API. Port 0 takes a free one.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 8440);

    /// <summary>A certificate with its chain, in PEM; with <see cref="TlsKeyFile"/> the API speaks HTTPS.</summary>
    public string? TlsCertificateFile { get; init; }

    /// <summary>The certificate's private key, in PEM.</summary>
    public string? TlsKeyFile { get; init; }

    /// <summary>A proxy in front ends TLS: only then may plain HTTP be served beyond this machine.</summary>
    public bool TlsEndsAtProxy { get; init; }

    /// <summary>Of an OpenTelemetry collector; null to measure nothing.</summary>
    public Uri? Telemetry { get; init; }

    /// <summary>Connections held at once.</summary>
    public int Connections { get; init; } = 1_000;

    public bool UsesTls => TlsCertificateFile is not null;

    /// <summary>Every reason for which these settings cannot be used; empty when they can.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>(Engine.Problems());
        void Require(bool holds, string problem)
        {
            if (!holds) problems.Add(problem);
        }
        Require((TlsCertificateFile is null) == (TlsKeyFile is null), "tlsCertificateFile and tlsKeyFile go together: give both or neither");
        RequireFile(TlsCertificateFile, "tlsCertificateFile");
        RequireFile(TlsKeyFile, "tlsKeyFile");
        // Read now: found out after the ledger was begun, it would have begun for nothing.
        if (File.Exists(TlsCertificateFile) && File.Exists(TlsKeyFile) && TlsFiles.Problem(TlsCertificateFile, TlsKeyFile) is { } problem)
            problems.Add($"tlsCertificateFile {TlsCertificateFile} and tlsKeyFile {TlsKeyFile} cannot be used together: {problem}");
        Require(IPAddress.IsLoopback(Listen.Address) || UsesTls || TlsEndsAtProxy,
            $"listen is {Listen}, which others can reach, and keys would cross the network in the clear: give tlsCertificateFile and tlsKeyFile, "
            + "listen on 127.0.0.1, or set tlsEndsAtProxy if a proxy in front speaks TLS");
        Require(Telemetry is null || (Telemetry.Scheme is "http" or "https" && Telemetry.AbsolutePath == "/"), "telemetry must be an http or https address without a path, such as http://127.0.0.1:4318");
        Require(Connections is >= 1 and <= Limits.ConnectionsMax, $"connections must lie between 1 and {Limits.ConnectionsMax}");
        Require((Silo is null) == (Engine.Cluster.Length == 0), "cluster and silo go together: give both or neither");
        problems.AddRange(Silo?.Problems() ?? []);
        var isTest = Engine.Network == BitcoinNetwork.Regtest;
        problems.AddRange(Node.Problems("node", isTest));
        problems.AddRange(Standby?.Problems("standby", isTest) ?? []);
        Require(Standby?.Url != Node.Url, "standbyUrl is nodeUrl: give another node, or none");
        Require(Node.Timeout >= TimeSpan.FromSeconds(1) && Node.Timeout <= TimeSpan.FromMinutes(10), "nodeTimeout must lie between 1 second and 10 minutes");
        return problems;

        void RequireFile(string? path, string name) => Require(path is null || File.Exists(path), $"{name}: there is no file {path}");
    }
}
