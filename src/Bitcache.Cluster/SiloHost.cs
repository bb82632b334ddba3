// One silo: Orleans over PostgreSQL, with the figures that make a lost silo's work go on elsewhere within seconds.

using Bitcache.Cluster.Grains;
using Bitcache.Cluster.Placement;
using Bitcache.Engine.Partitions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;

namespace Bitcache.Cluster;

internal static class SiloHost
{
    private const string Npgsql = "Npgsql";

    /// <summary>What the ledger is called in the tables of Orleans: one, for ever.</summary>
    private const string Service = "bitcache";

    /// <summary>A silo is asked this often, and is given as long to answer; longer, up to <see cref="ProbeMax"/>, where answers have
    /// been slow. Three that are missed in a row are enough, for one silo to say: with two there is no other. By default it would
    /// be five seconds and up to twenty.</summary>
    private static readonly TimeSpan Probe = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan ProbeMax = TimeSpan.FromSeconds(1);
    private const int ProbesMissedMax = 3;

    /// <summary>Makes the tables that are missing and a silo that is not started yet. Before it starts, its
    /// <see cref="SiloLedger"/> is to be filled; the way to partitions that others have is its <see cref="IPartitionOwner"/>.</summary>
    /// <exception cref="ClusterRefusedException">The settings cannot be used, or the database is another cluster's.</exception>
    public static async Task<IHost> BuildAsync(ClusterSettings settings, ILoggerFactory logs, CancellationToken cancel)
    {
        if (settings.Problems() is { Count: > 0 } problems) throw new ClusterRefusedException(string.Join(Environment.NewLine, problems));
        await ClusterDatabase.PrepareAsync(settings, cancel);
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddSingleton(logs);
        builder.UseOrleans(silo => Configure(silo, settings));
        builder.Services.AddSingleton(settings).AddSingleton<SiloLedger>();
        builder.Services.AddSingleton(services => GrainPartitionOwner.Over(services.GetRequiredService<IGrainFactory>(), services.GetRequiredService<TimeProvider>()));
        return builder.Build();
    }

    private static void Configure(ISiloBuilder silo, ClusterSettings settings)
    {
        silo.Configure<ClusterOptions>(cluster => (cluster.ClusterId, cluster.ServiceId) = (settings.Name, Service));
        silo.Configure<SiloOptions>(options => options.SiloName = settings.Silo);
        silo.ConfigureEndpoints(settings.Address, settings.SiloPort, settings.GatewayPort, listenOnAnyHostAddress: false);
        silo.UseAdoNetClustering(options => (options.Invariant, options.ConnectionString) = (Npgsql, settings.OrleansDatabase()));
        silo.UseAdoNetReminderService(options => (options.Invariant, options.ConnectionString) = (Npgsql, settings.OrleansDatabase()));
        silo.AddAdoNetGrainStorage(GrainStates.Storage, options => (options.Invariant, options.ConnectionString) = (Npgsql, settings.OrleansDatabase()));
        silo.Configure<ClusterMembershipOptions>(membership =>
        {
            (membership.ProbeTimeout, membership.MinProbeTimeout, membership.MaxProbeTimeout) = (Probe, Probe, ProbeMax);
            membership.NumMissedProbesLimit = ProbesMissedMax;
            membership.NumVotesForDeathDeclaration = 1;
            membership.TableRefreshTimeout = TimeSpan.FromSeconds(2);
            membership.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(5);
            membership.DefunctSiloExpiration = TimeSpan.FromDays(1);
        });
        silo.Configure<GrainCollectionOptions>(collection => collection.ClassSpecificCollectionAge[typeof(WalletGrain).FullName!] = settings.WalletIdle);
        silo.Configure<SiloMessagingOptions>(messaging => messaging.ResponseTimeout = TimeSpan.FromSeconds(5));
        silo.AddPlacementDirector<BesidePartition, BesidePartitionDirector>();
        silo.AddPlacementDirector<AtSilo, AtSiloDirector>();
        silo.Services.AddSingleton<WordToSilos>().AddSingleton<PlanCache>().AddSingleton<WalletWatch>().AddSingleton<GrainsHere>().AddSingleton<PartitionKeeper>();
        silo.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(services => services.GetRequiredService<PartitionKeeper>());
        silo.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(services => services.GetRequiredService<WalletWatch>());
    }
}
