// The rotation of the checkpoint key: what the ledger takes for one, and what it remembers. And a journal with rotations, as
// bytes in the repository (Golden/README.md).

using System.Security.Cryptography;
using Bitcache.Core;
using Bitcache.Core.Audit;

namespace Bitcache.Tests.Ledgers;

[Trait("suite", "core")]
public sealed class KeyRules
{
    private const string File = "ledger-keys.golden";
    private const string StateHash = "8eb08fa03dc2973db024d2733f17db7c3fe3646c5cfce53b248e2c6affba885e";
    private static readonly byte[][] Seeds = [.. Enumerable.Range(0, 4).Select(i => SHA256.HashData([(byte)i, 57]))];

    private static readonly Genesis Genesis = Book.GenesisCommand is var genesis
        ? new Genesis(genesis.Origin, genesis.Network, 1, genesis.Operator, genesis.AnchorScript, [new KeyFingerprint(KeyPurpose.Checkpoint, FingerprintOf(0))])
        : throw new InvalidOperationException();

    private static Hash256 FingerprintOf(int key) => Hash256.Read(SHA256.HashData(Ed25519.PublicKey(Seeds[key])));

    private static OperationId Id(int number) => OperationId.Create(Book.Start, (UInt128)number);

    /// <summary>From a key to another, which the first has signed.</summary>
    private static RotateKey Rotate(int id, int from, int to, int? signer = null)
    {
        var rotation = KeyRotation.Sign(Seeds[signer ?? from], VerifierKey.FromSeed(Genesis.Origin, Seeds[to]));
        return new RotateKey(Id(id), new ByteString(Ed25519.PublicKey(Seeds[from])), new ByteString(rotation.New.PublicKey), new ByteString(rotation.Signature));
    }

    private static Book Rotated()
    {
        var book = new Book(genesis: Genesis);
        Assert.Equal(FingerprintOf(0), book.Ledger.CheckpointKey);
        foreach (var (command, key) in new[] { (Rotate(1, 0, 1), 1), (Rotate(2, 1, 2), 2) })
        {
            Assert.Equal(Outcome.Accepted, book.Apply(command, Ledger.OperatorTenant).Outcome);
            Assert.Equal(FingerprintOf(key), book.Ledger.CheckpointKey);
        }
        return book;
    }

    [Fact]
    public void Each_key_names_the_next_and_the_ledger_remembers_all_of_them()
    {
        var book = Rotated();
        Assert.Equal(2, book.Ledger.LastKeyRotation);
        foreach (var ledger in new[] { book.Ledger, book.Reopen().Ledger })
        {
            Assert.Equal(2, ledger.LastKeyRotation);
            Assert.True(KeyRotation.TryFollow(
                string.Concat(ledger.KeyRotations.Select(rotation => rotation.Note)), VerifierKey.FromSeed(Genesis.Origin, Seeds[0]), out var keys, out var refusal), refusal);
            Assert.Equal(VerifierKey.FromSeed(Genesis.Origin, Seeds[2]).ToString(), keys[^1].ToString());
        }
        // The statement alone says all of it.
        var statement = Entry.ReadStatement(Entry.StatementOf(book.Records[2]));
        Assert.Equal((EntryType.KeyRotated, (Command)Rotate(2, 1, 2)), (statement.Type, statement.Command));
    }

    [Fact]
    public void The_same_id_rotates_once_whatever_key_was_drawn_for_the_retry()
    {
        var book = Rotated();
        Assert.Equal((Outcome.Known, 1), (book.Apply(Rotate(1, 2, 3), Ledger.OperatorTenant).Outcome, (int)book.Ledger.FindId(Rotate(1, 0, 1).Owner, Id(1))!.Value));
        Assert.Equal(FingerprintOf(2), book.Ledger.CheckpointKey);
    }

    [Fact]
    public void What_the_key_in_use_has_not_signed_is_no_rotation()
    {
        var book = Rotated();
        foreach (var wrong in new[] { Rotate(3, 1, 3), Rotate(3, 0, 1), Rotate(3, 2, 3, signer: 1), Rotate(3, 3, 2), Rotate(3, 2, 0), Rotate(3, 2, 1), Rotate(3, 2, 2) })
            Assert.Throws<LedgerInvariantException>(() => book.Apply(wrong, Ledger.OperatorTenant));
        Assert.Throws<LedgerInvariantException>(() => book.Apply(Rotate(3, 2, 3), tenant: 7));
        Assert.Equal(Outcome.Accepted, book.Apply(Rotate(3, 2, 3), Ledger.OperatorTenant).Outcome);
        // A ledger whose genesis entry names no such key has none to rotate.
        Assert.Throws<LedgerInvariantException>(() => new Book().Apply(Rotate(1, 0, 1), Ledger.OperatorTenant));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RotateKey(Id(1), new ByteString(new byte[31]), new ByteString(new byte[32]), new ByteString(new byte[64])));
    }

    [Fact]
    public void The_journal_replays_to_the_state_that_it_had()
    {
        var records = GoldenJournal.Split(System.IO.File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Golden", File)));
        var ledger = Book.Replay(records);
        Assert.Equal(FingerprintOf(2), ledger.CheckpointKey);
        Assert.True(StateHash == ledger.StateHash().ToString(), $"it is {ledger.StateHash()}");
    }

    [Fact]
    public void The_same_commands_still_make_the_same_bytes()
    {
        byte[] made = [.. Rotated().Records.SelectMany(r => r)];
        if (Environment.GetEnvironmentVariable("BITCACHE_NEW_GOLDEN_KEYS") is { Length: > 0 } path)
        {
            using var file = new FileStream(path, FileMode.CreateNew);
            file.Write(made);
        }
        Assert.Equal(
            Convert.ToHexString(System.IO.File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Golden", File))), Convert.ToHexString(made));
    }
}
