// The pins that an auditor keeps are never silently replaced.

using Bitcache.Cli;
using Bitcache.Cli.Verify;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Server.Api;
using Bitcache.Tests.Api;
using Bitcache.Tests.Audit;

namespace Bitcache.Tests.Cli;

[Trait("suite", "core")]
public sealed class ReceiptFolderTests : IDisposable
{
    private static readonly OperationId Id = OperationId.Create(new UnixTime(1_750_000_000_000), 1);
    private static readonly ReceiptReply Receipt = new("AAE=", "eA==", "/w==", null, null);
    private static readonly Pins Pins = SampleReceipt.Pins;
    private static readonly Txid Anchor = new(new Hash256(1, 2));

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_files_lie_beside_each_other()
    {
        var leaf = Write(Pins);

        Assert.Equal([0, 1], File.ReadAllBytes(leaf));
        Assert.Equal("x", File.ReadAllText(leaf + ".tlog-proof"));
        Assert.Equal([0xff], File.ReadAllBytes(leaf + ".ots"));
        Assert.Equal(Pins.Write(), KeptPins());
    }

    [Fact]
    public void The_first_anchor_is_filled_in_once_it_is_known()
    {
        Write(Pins);
        Write(Pins with { FirstAnchor = Anchor });

        Assert.Contains(Anchor.ToString(), KeptPins(), StringComparison.Ordinal);
    }

    [Fact]
    public void Other_pins_than_before_are_refused_and_not_written()
    {
        Write(Pins with { FirstAnchor = Anchor });
        var kept = KeptPins();

        Assert.Throws<CommandFailedException>(() => Write(Pins with { AnchorScript = [0x51], FirstAnchor = Anchor }));
        Assert.Throws<CommandFailedException>(() => Write(Pins with { FirstAnchor = new Txid(new Hash256(3, 4)) }));
        Assert.Throws<CommandFailedException>(() => Write(Pins));
        Assert.Equal(kept, KeptPins());
    }

    private string Write(Pins pins) => ReceiptFolder.Write(_folder.Path, Id.ToString(), Receipt, pins.Write());

    private string KeptPins() => File.ReadAllText(Path.Combine(_folder.Path, "pins.json"));
}
