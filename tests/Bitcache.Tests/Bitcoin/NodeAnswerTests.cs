// What the client concludes from a node's answers, good, bad and hostile, without a node.

using System.Globalization;
using System.Text;
using Bitcache.Core;
using Bitcache.Engine.Bitcoin;

namespace Bitcache.Tests.Bitcoin;

[Trait("suite", "core")]
public sealed class NodeAnswerTests : IAsyncLifetime
{
    private const string Hash = "6313d4354315c4fc956cea9f68c012370e4a534c918d348c0e391cdfa52657e7";

    private readonly string _password = Path.GetTempFileName();
    private readonly ScriptedNode _server = new();
    private BitcoinRpc _rpc = null!;
    private BitcoinRpcNode _node = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await File.WriteAllTextAsync(_password, "first\n");
        _rpc = new BitcoinRpc(new BitcoinRpcOptions(
            _server.Endpoint, RpcCredentials.FromPasswordFile("alice", _password), TimeSpan.FromSeconds(30)));
        _node = new BitcoinRpcNode(_rpc, "bitcache");
    }

    public async ValueTask DisposeAsync()
    {
        _rpc.Dispose();
        await _server.DisposeAsync();
        File.Delete(_password);
    }

    [Theory]
    [InlineData(500, -28, NodeFailure.WarmingUp)]
    [InlineData(500, -13, NodeFailure.WalletLocked)]
    [InlineData(500, -4, NodeFailure.Rejected)]
    [InlineData(200, -4, NodeFailure.Rejected)]
    [InlineData(404, -32601, NodeFailure.Rejected)]
    public async Task An_error_of_the_node_is_typed_by_its_number(int status, int code, NodeFailure failure)
    {
        _server.Fail(status, code, "as it says");

        var refused = await Assert.ThrowsAsync<NodeException>(() => _node.GetBalancesAsync(Cancel));

        Assert.Equal((failure, code, $"as it says ({code})"), (refused.Failure, (int)refused.Code, refused.Message));
    }

    [Fact]
    public async Task A_full_work_queue_is_busy_and_was_not_executed()
    {
        (_server.Status, _server.Body) = (503, (_, _) => "Work queue depth exceeded"u8.ToArray());

        Assert.Equal(NodeFailure.Busy, (await Assert.ThrowsAsync<NodeException>(() => _node.UnlockAllAsync(Cancel))).Failure);
    }

    [Fact]
    public async Task Credentials_are_read_again_after_401_and_once_only()
    {
        _server.Answer(Balances("0"));
        await _node.GetBalancesAsync(Cancel);
        await File.WriteAllTextAsync(_password, "second\n", Cancel);
        _server.RequiredAuthorization = Basic("alice:second");
        await _node.GetBalancesAsync(Cancel);
        Assert.Equal([Basic("alice:first"), Basic("alice:first"), Basic("alice:second")], _server.Authorizations);

        _server.RequiredAuthorization = "something else";
        var refused = await Assert.ThrowsAsync<NodeException>(() => _node.GetBalancesAsync(Cancel));
        Assert.Equal(NodeFailure.Unauthorized, refused.Failure);
        Assert.Equal(5, _server.Authorizations.Count);
    }

    [Theory]
    [InlineData("")]
    [InlineData("<html>")]
    [InlineData("[]")]
    [InlineData("""{"result":1}""")]
    [InlineData("""{"result":1,"error":null,"id":999}""")]
    [InlineData("""{"result":1,"result":2,"error":null,"id":1}""")]
    [InlineData("""{"result":null,"error":"odd","id":1}""")]
    [InlineData("""{"result":null,"error":{"code":"-26","message":"odd"},"id":1}""")]
    public async Task An_answer_that_cannot_be_read_is_unknown(string body)
    {
        _server.Body = (_, _) => Encoding.UTF8.GetBytes(body);

        Assert.Equal(NodeFailure.Unknown, (await Assert.ThrowsAsync<NodeException>(() => _node.GetBlockHashAsync(1, Cancel))).Failure);
    }

    [Fact]
    public async Task An_answer_without_end_is_not_read_to_its_end()
    {
        var large = new byte[Limits.NodeAnswerBytesMax + 1];
        _server.Body = (_, _) => large;

        Assert.Equal(NodeFailure.Unknown, (await Assert.ThrowsAsync<NodeException>(() => _node.GetBlockHashAsync(1, Cancel))).Failure);
    }

    [Fact]
    public async Task A_list_of_what_changed_may_be_longer_than_any_other_answer()
    {
        // Whoever pays us makes it so long: it must not stop deposits.
        var entry = Samples.Listed[(Samples.Listed.IndexOf('[', StringComparison.Ordinal) + 1)..Samples.Listed.IndexOf("],\"removed\"", StringComparison.Ordinal)];
        var times = (Limits.NodeAnswerBytesMax / entry.Length) + 1;
        _server.Answer($$"""{"transactions":[{{string.Join(',', Enumerable.Repeat(entry, times))}}],"removed":[],"lastblock":"{{Hash}}"}""");
        Assert.Equal(3 * times, (await _node.ListSinceBlockAsync(null, 12, Cancel))!.Entries.Count);
        Assert.NotEmpty((await _node.ListTransactionsSinceAsync(default, Cancel))!);
        var tooLong = await Assert.ThrowsAsync<NodeException>(() => _node.GetBalancesAsync(Cancel));
        Assert.Equal((NodeFailure.Unknown, true), (tooLong.Failure, tooLong.IsAnswerTooLong));
    }

    [Theory]
    [InlineData("0.00000001", 1)]
    [InlineData("20999999.97690000", 2_099_999_997_690_000)]
    [InlineData("21000000", 2_100_000_000_000_000)]
    public async Task An_amount_is_read_to_the_satoshi(string text, long sats)
    {
        _server.Answer(Balances(text));

        Assert.Equal(new Sats(sats), (await _node.GetBalancesAsync(Cancel)).Trusted);
    }

    [Theory]
    [InlineData("1e-8")]
    [InlineData("0.000000001")]
    [InlineData("21000000.00000001")]
    [InlineData("-0.5")]
    [InlineData("\"0.5\"")]
    [InlineData("null")]
    public async Task An_amount_that_would_be_guessed_at_is_unknown(string text)
    {
        _server.Answer(Balances(text));

        Assert.Equal(NodeFailure.Unknown, (await Assert.ThrowsAsync<NodeException>(() => _node.GetBalancesAsync(Cancel))).Failure);
    }

    [Fact]
    public async Task What_left_the_wallet_is_read_without_its_sign_and_a_negative_receipt_is_refused()
    {
        _server.Answer(Samples.Listed);
        var entries = (await _node.ListSinceBlockAsync(null, 12, Cancel))!.Entries;
        Assert.Equal(
            [
                (WalletEntryCategory.Send, new Sats(50_000_000), -2),
                (WalletEntryCategory.Receive, new Sats(50_000_000), 0),
                (WalletEntryCategory.Immature, new Sats(5_000_000_000), 1),
            ],
            entries.Select(e => (e.Category, e.Amount, e.Confirmations)));

        // Nor is one with nine decimals rounded.
        foreach (var amount in new[] { "-0.50000000", "0.500000001", "5e-1" })
        {
            var answer = Samples.Listed.Replace("\"amount\":0.50000000", $"\"amount\":{amount}", StringComparison.Ordinal);
            Assert.NotEqual(Samples.Listed, answer);
            _server.Answer(answer);
            Assert.Equal(NodeFailure.Unknown, (await Assert.ThrowsAsync<NodeException>(() => _node.ListSinceBlockAsync(null, 12, Cancel))).Failure);
        }
    }

    [Theory]
    [InlineData("\"confirmations\":1", "\"confirmations\":-2147483648")]
    [InlineData("\"confirmations\":1", "\"confirmations\":100000001")]
    [InlineData("\"blockheight\":102", "\"blockheight\":-1")]
    [InlineData("\"blockheight\":102", "\"blockheight\":100000001")]
    [InlineData("\"blockheight\":102,", "")]
    [InlineData("\"blockhash\"", "\"hash\"")]
    public async Task A_place_that_no_transaction_can_have_is_unknown(string what, string instead)
    {
        foreach (var sample in new[] { Samples.Listed, Samples.Transaction })
        {
            var answer = sample.Replace(what, instead, StringComparison.Ordinal);
            Assert.NotEqual(sample, answer);
            _server.Answer(answer);
            var call = sample == Samples.Listed ? _node.ListSinceBlockAsync(null, 12, Cancel) : (Task)_node.GetTransactionAsync(SampleTransaction, Cancel);
            Assert.Equal(NodeFailure.Unknown, (await Assert.ThrowsAsync<NodeException>(() => call)).Failure);
        }
    }

    [Fact]
    public async Task What_is_told_of_another_transaction_or_block_is_unknown()
    {
        _server.Answer(Samples.Transaction);
        Assert.NotNull(await _node.GetTransactionAsync(SampleTransaction, Cancel));
        Assert.Equal(NodeFailure.Unknown, (await Assert.ThrowsAsync<NodeException>(() => _node.GetTransactionAsync(default, Cancel))).Failure);

        _server.Answer($$"""{"hash":"{{Hash}}","height":7,"confirmations":1,"time":1795248074,"mediantime":1795248074}""");
        Assert.True(BlockHash.TryParse(Hash, out var block));
        Assert.NotNull(await _node.GetBlockInfoAsync(block, Cancel));
        Assert.Equal(NodeFailure.Unknown, (await Assert.ThrowsAsync<NodeException>(() => _node.GetBlockInfoAsync(default, Cancel))).Failure);
    }

    [Fact]
    public async Task A_transaction_without_inputs_is_unknown()
    {
        _server.Answer($$$"""{"tx":{"txid":"{{{Hash}}}","size":10,"locktime":0,"vin":[],"vout":[]},"inputs":[],"fee":0}""");
        Assert.Equal(NodeFailure.Unknown, (await Assert.ThrowsAsync<NodeException>(() => _node.DecodePsbtAsync("", Cancel))).Failure);
    }

    [Theory]
    [InlineData("main", "false", 100, 100, 100, "false", GateReason.Open)]
    [InlineData("main", "false", 100, 101, 100, "false", GateReason.Open)]
    [InlineData("main", "false", 100, 102, 100, "false", GateReason.Syncing)]
    [InlineData("main", "true", 100, 100, 100, "false", GateReason.InitialBlockDownload)]
    [InlineData("main", "false", 100, 100, 101, "false", GateReason.BehindCursor)]
    [InlineData("main", "false", 100, 100, 100, """{"duration":4,"progress":0.5}""", GateReason.WalletScanning)]
    [InlineData("test", "true", 1, 9, 100, "false", GateReason.WrongChain)]
    public async Task The_gate_names_what_closes_it(
        string chain, string download, int blocks, int headers, int cursor, string scanning, GateReason expected)
    {
        _server.Answer(method => method switch
        {
            "getblockhash" => $"\"{Hash}\"",
            "getwalletinfo" => $$"""{"walletname":"bitcache","scanning":{{scanning}},"descriptors":true,"private_keys_enabled":true}""",
            _ => string.Create(CultureInfo.InvariantCulture, $$"""
                {"chain":"{{chain}}","blocks":{{blocks}},"headers":{{headers}},"bestblockhash":"{{Hash}}","initialblockdownload":{{download}}}
                """),
        });
        Assert.True(BlockHash.TryParse(Hash, out var genesis));

        var result = await new NodeGate(_node, "main", genesis).CheckAsync(cursor, Cancel);

        Assert.Equal(expected, result.Reason);
        Assert.NotEmpty(result.Sentence);
    }

    [Fact]
    public async Task No_mutation_of_an_answer_does_more_than_make_it_unknown()
    {
        const int Rounds = 4_000;
        var seed = int.TryParse(Environment.GetEnvironmentVariable("BITCACHE_SEED"), CultureInfo.InvariantCulture, out var given)
            ? given : Random.Shared.Next();
        var random = new Random(seed);
        (string Sample, Func<Task> Call)[] calls =
        [
            (Samples.Listed, () => _node.ListSinceBlockAsync(null, 12, Cancel)),
            (Samples.Transaction, () => _node.GetTransactionAsync(SampleTransaction, Cancel)),
            (Samples.Psbt, () => _node.DecodePsbtAsync("", Cancel)),
            (Samples.Coins, () => _node.ListUnspentAsync(1, Cancel)),
        ];
        foreach (var (sample, call) in calls)
        {
            _server.Answer(sample);
            await call();
        }

        var (good, unknown) = (0, 0);
        for (var round = 0; round < Rounds; round++)
        {
            var (sample, call) = calls[random.Next(calls.Length)];
            _server.Answer(sample);
            var whole = _server.Body;
            var mutation = random.Next();
            _server.Body = (method, id) => Mutated(whole(method, id), new Random(mutation));
            try
            {
                await call();
                good++;
            }
            catch (NodeException e)
            {
                Assert.True(e.Failure is NodeFailure.Unknown, $"{e.Failure}, seed {seed}, round {round}");
                unknown++;
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed}, round {round}", e);
            }
        }

        // Labels and unread members may change; most of the rest may not.
        Assert.True(unknown > Rounds / 2 && good > 0, $"{good} read, {unknown} unknown, seed {seed}");
    }

    private static byte[] Mutated(byte[] answer, Random random)
    {
        for (var edits = random.Next(1, 4); edits > 0; edits--)
        {
            var at = random.Next(answer.Length);
            var end = Math.Min(answer.Length, at + random.Next(1, 30));
            answer = random.Next(4) switch
            {
                0 => [.. answer[..at], (byte)(answer[at] ^ (1 << random.Next(8))), .. answer[(at + 1)..]],
                1 => [.. answer[..at], .. answer[end..]],
                2 => [.. answer[..end], .. answer[at..]],
                _ => [.. answer[..at], "-0.5e9,\"}]{[nul"u8[random.Next(14)], .. answer[(at + 1)..]],
            };
            if (answer.Length == 0) break;
        }
        return answer;
    }

    private static Txid SampleTransaction =>
        Txid.TryParse("0247634a441a0b2690936a05facf780a6760647287176b50138b2c6bbf3df0ee", out var txid) ? txid : throw new InvalidOperationException();

    private static string Balances(string trusted) =>
        $$$"""{"mine":{"trusted":{{{trusted}}},"untrusted_pending":0.00000000,"immature":0}}""";

    private static string Basic(string secret) => "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes(secret));
}
