// What the demo knows by itself of everybody's money, to hold the server's books against.

using Bitcache.Cli.Client;
using Bitcache.Core;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Demo;

internal sealed class DemoBooks
{
    private readonly Dictionary<WalletId, long> _expected = [];
    private long _fromBitcoin;
    private long _operator;

    public IReadOnlyCollection<WalletId> Wallets => _expected.Keys;

    public void Opened(WalletId wallet) => _expected.Add(wallet, 0);

    public void Deposited(WalletId wallet, Sats amount)
    {
        _expected[wallet] += amount.ToMsat().Value;
        _fromBitcoin += amount.ToMsat().Value;
    }

    public void Withdrawn(WalletId wallet, Sats amount)
    {
        _expected[wallet] -= amount.ToMsat().Value;
        _fromBitcoin -= amount.ToMsat().Value;
    }

    public void ToppedUp(Sats amount)
    {
        _operator += amount.ToMsat().Value;
        _fromBitcoin += amount.ToMsat().Value;
    }

    public void PaidForMining(Sats fee)
    {
        _operator -= fee.ToMsat().Value;
        _fromBitcoin -= fee.ToMsat().Value;
    }

    public void Paid(WalletId payer, WalletId payee, Msat amount)
    {
        _expected[payer] -= amount.Value;
        _expected[payee] += amount.Value;
    }

    /// <summary>Holds every wallet, the operator's and the server's own sums against what we know.</summary>
    /// <returns>All wallets as the server has them.</returns>
    /// <exception cref="DemoFailedException">Something differs.</exception>
    public async Task<IReadOnlyDictionary<WalletId, WalletReply>> CheckAsync(DemoStage stage, CancellationToken cancel)
    {
        var wallets = await ReadAsync(stage.User, cancel);
        foreach (var (id, wallet) in wallets)
        {
            var expected = new WalletReply(id.ToString(), _expected[id], 0, 0, 0, 0);
            DemoCheck.That(wallet == expected, $"wallet {id} should have {expected.AvailableMsat} msat and nothing else, but is {wallet}");
        }
        var operators = (await stage.Operator.GetOperatorAsync(cancel)).Value;
        var totals = operators.Totals;
        DemoCheck.That(totals.Conserved, $"by its own sums the server has {totals.InsideMsat} msat inside and {totals.FromBitcoinMsat} msat from Bitcoin");
        DemoCheck.That(operators.Wallet.AvailableMsat == _operator, $"the operator should have {_operator} msat, but has {operators.Wallet.AvailableMsat}");
        var sum = wallets.Values.Sum(w => w.AvailableMsat) + operators.Wallet.AvailableMsat;
        DemoCheck.That(
            sum == _fromBitcoin && totals.InsideMsat == _fromBitcoin,
            $"{_fromBitcoin} msat came from Bitcoin and did not go out again, but the wallets hold {sum} and the server counts {totals.InsideMsat}");
        return wallets;
    }

    private async Task<IReadOnlyDictionary<WalletId, WalletReply>> ReadAsync(ApiClient client, CancellationToken cancel)
    {
        var replies = await ParallelAsync(Wallets, async wallet => (wallet, (await client.GetWalletAsync(wallet, cancel)).Value), cancel);
        return replies.ToDictionary(r => r.wallet, r => r.Value);
    }

    /// <summary>Asks for each item, several at once; the answers come in the order of the items.</summary>
    public static async Task<IReadOnlyList<TResult>> ParallelAsync<T, TResult>(
        IReadOnlyCollection<T> items, Func<T, Task<TResult>> ask, CancellationToken cancel)
    {
        var answers = new TResult[items.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = 32, CancellationToken = cancel };
        await Parallel.ForEachAsync(items.Index(), options, async (item, _) => answers[item.Index] = await ask(item.Item));
        return answers;
    }
}
