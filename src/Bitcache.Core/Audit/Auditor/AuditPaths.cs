using System.Globalization;

namespace Bitcache.Core.Audit;

/// <summary>Where an export has what an audit reads.</summary>
internal static class AuditPaths
{
    public const string Checkpoint = "checkpoint";
    public const string Pins = "pins.json";
    public const string Rotations = "rotations";
    public const string Index = "epochs/index.json";
    public const string Close = "close.leaf";
    public const string Proof = Close + ".tlog-proof";
    public const string Timestamp = Close + ".ots";
    public const string Liabilities = "liabilities.csv";
    public const string Allocation = "allocation.csv";
    public const string Keys = "keys.csv";
    public const string Anchor = "anchor.tx";
    public const string Record = "anchor.record";
    public const string Header = "header.hex";

    public static string Of(long epoch, string name) => string.Create(CultureInfo.InvariantCulture, $"epochs/{epoch}/{name}");
}
