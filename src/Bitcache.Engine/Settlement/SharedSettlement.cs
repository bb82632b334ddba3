// What settlement keeps in files and nobody can make again: what was signed last, and of epochs the coins and balances at their cuts.
// A single node has it in its data folder; the silos of a cluster share it in their database.

using System.Globalization;
using Bitcache.Core.Audit;
using Bitcache.Engine.Files;
using Bitcache.Engine.Journal.Postgres;

namespace Bitcache.Engine.Settlement;

/// <param name="shared">The database's files: of the term, for whoever changes them.</param>
/// <param name="dataFolder">Of this machine.</param>
internal sealed class SharedSettlement(PostgresFiles shared, string dataFolder)
{
    private const string Folder = "/settlement";
    private const string EpochsFolder = Folder + "/epochs";

    private readonly LinuxFileSystem _local = new();

    /// <summary>Of epochs the large files, which can be made again, are on this machine.</summary>
    public EpochFolder Epochs => new(shared, EpochsFolder, _local, LocalEpochs);

    private string LocalEpochs => Path.Combine(dataFolder, "epochs");

    /// <exception cref="SettingsException">The file does not hold a size and a root.</exception>
    public SignedMark OpenMark() => SignedMark.Open(shared, Folder);

    public bool HasMark => SignedMark.IsIn(shared, Folder);

    /// <summary>Says that nothing was signed yet: of a ledger that is begun in a cluster, before its first cut.</summary>
    public void BeginMark() => SignedMark.Begin(shared, Folder);

    /// <summary>Takes over what a single node had in this data folder. What was signed comes last: where it is, all is.</summary>
    /// <param name="lastEpoch">That was closed.</param>
    /// <param name="lastStated">The newest that was stated; null if none was. Older ones an operator may have moved away.</param>
    /// <exception cref="SettingsException">It is not there, or not all of it, as where the keys alone were copied.</exception>
    public void Adopt(long lastEpoch, long? lastStated, string database)
    {
        var (keys, epochs) = (LedgerKeys.FolderIn(dataFolder), new EpochFolder(_local, LocalEpochs));
        if (!SignedMark.IsIn(_local, keys)) throw Refusal($"entries of this ledger were signed for, and neither {database} nor {keys} says which");
        if (lastStated is { } stated && !epochs.Has(stated, ReservesFile.Name))
            throw Refusal($"epoch {stated} of this ledger was stated, and neither {database} nor {LocalEpochs} has its list of coins");
        // Of the epoch that is open, too: its list of coins may be there.
        epochs.CopyTo(Epochs, [.. Enumerable.Range(1, checked((int)lastEpoch) + 1).Select(epoch => (long)epoch)]);
        SignedMark.Copy(_local, keys, shared, Folder);

        static SettingsException Refusal(string found) => new([$"{found}: start the silo first whose data folder is that of the single server"]);
    }

    /// <summary>Gives it to a single node, in this data folder; in the same order.</summary>
    public void GiveBack()
    {
        long[] epochs = [.. shared.Folders(EpochsFolder).Select(name => long.Parse(name, CultureInfo.InvariantCulture))];
        Epochs.CopyTo(new EpochFolder(_local, LocalEpochs), epochs);
        DurableFolder.Ensure(_local, LedgerKeys.FolderIn(dataFolder));
        if (HasMark) SignedMark.Copy(shared, Folder, _local, LedgerKeys.FolderIn(dataFolder));
    }
}
