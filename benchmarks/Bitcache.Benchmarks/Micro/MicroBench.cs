// The parts that every payment passes, each alone: codec, index, hash. Run by BenchmarkDotNet in this process, so that
// nothing is built beside the project.

using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace Bitcache.Benchmarks.Micro;

internal static class MicroBench
{
    /// <param name="folder">Takes the reports while they are made.</param>
    public static BenchResult Run(int runs, string folder)
    {
        using var scratch = new ScratchFolder(folder);
        var job = Job.Default.WithToolchain(InProcessEmitToolchain.Instance).WithIterationCount(Math.Max(3, runs)).WithWarmupCount(3);
        var config = ManualConfig.CreateEmpty().AddJob(job).AddLogger(new StreamLogger(new StreamWriter(Console.OpenStandardError()) { AutoFlush = true })).WithArtifactsPath(scratch.Path)
            .AddColumnProvider(DefaultConfig.Instance.GetColumnProviders().ToArray()).AddExporter(MarkdownExporter.Console);
        var reports = new[] { typeof(CodecBenchmarks), typeof(IndexBenchmarks), typeof(HashBenchmarks) }
            .SelectMany(type => BenchmarkRunner.Run(type, config).Reports).ToArray();
        if (reports.Any(r => r.ResultStatistics is null)) throw new BenchFailedException("a micro-benchmark did not run; see above");
        var nanoseconds = reports.ToDictionary(r => r.BenchmarkCase.Descriptor.WorkloadMethod.Name, r => r.ResultStatistics!.Median);
        // The value is what one payment costs in the ledger alone.
        var apply = reports.Single(r => r.BenchmarkCase.Descriptor.WorkloadMethod.Name == nameof(IndexBenchmarks.Apply)).ResultStatistics!;
        return new BenchResult(
            "micro", "ns/payment applied", apply.OriginalValues, new Dictionary<string, double>(),
            nanoseconds.ToDictionary(n => n.Key + "Nanoseconds", n => (object)Math.Round(n.Value, 2)));
    }
}
