using System.Diagnostics;
using System.Runtime.Intrinsics;

namespace Bitcache.Tests.Audit;

/// <summary>The same hashes on a processor that has no wide vectors.</summary>
[Trait("suite", "core")]
public sealed class Sha256FallbackTests
{
    [Fact]
    public async Task Without_vectors_the_library_hashes_the_same()
    {
        if (!Vector256.IsHardwareAccelerated) return;
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        // xunit's own runner; run by dotnet, the program is its first argument.
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet") start.ArgumentList.Add(typeof(Sha256FallbackTests).Assembly.Location);
        foreach (var argument in (string[])["-class", typeof(Sha256LanesTests).FullName!, "-class", typeof(HmacBatchTests).FullName!, "-noLogo", "-noColor"]) start.ArgumentList.Add(argument);
        start.Environment["DOTNET_EnableHWIntrinsic"] = "0";
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, output);
        Assert.Contains("Failed: 0", output, StringComparison.Ordinal);
    }
}
