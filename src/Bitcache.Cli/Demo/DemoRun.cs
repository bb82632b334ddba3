// The show, act by act. Every act checks what it shows; the first check that fails ends it.

using System.Diagnostics;
using System.Globalization;
using Bitcache.Cli.Audit;
using Bitcache.Cli.Commands;
using Bitcache.Cli.Verify;
using Bitcache.Core;
using Bitcache.Core.Audit;
using Bitcache.Core.Bitcoin;
using Bitcache.Engine.Bitcoin;
using Bitcache.Engine.Export;
using Bitcache.Engine.Files;
using Bitcache.Engine.Partitions;
using Bitcache.Server.Api;

namespace Bitcache.Cli.Demo;

/// <param name="output">The folder that keeps what is proven.</param>
internal sealed class DemoRun(DemoStage stage, DemoScreen screen, int payments, string output, CancellationToken cancel)
{
    private const int WalletsCount = 1_000;
    private const int Connections = 96;
    private const int Seed = 21;
    private static readonly Sats Deposit = new(50_000_000);
    private static readonly Sats TopUp = new(1_000_000);
    /// <summary>200 Bits for each wallet to begin with: far more than it will be down at any time.</summary>
    private static readonly Msat Allowance = new(200 * Limits.MsatPerBit);
    private static readonly Sats Withdrawal = new(15_000);

    private readonly DemoBooks _books = new();
    private WalletId _treasury;
    private IReadOnlyList<WalletId> _wallets = [];
    private IReadOnlyList<Transfer> _transfers = [];

    /// <summary>A wallet to try things with.</summary>
    public WalletId AnyWallet => _wallets[0];

    /// <param name="watch">Runs since the demo began.</param>
    public async Task<DemoReport> RunAsync(Stopwatch watch)
    {
        var deposit = await DepositAsync();
        await OpenWalletsAsync();
        await PayAsync();
        var (withdrawal, anchor) = await SettleAsync();
        var before = await _books.CheckAsync(stage, cancel);
        screen.Holds("every balance is what this demo counted, and the sums equal what came from Bitcoin");

        var (leaves, balance) = (await FetchReceiptsAsync(), await ExportAsync(anchor.Epoch));
        await stage.KillServerAsync();
        screen.Title("receipts and a balance after kill -9 of the server");
        var (verified, chunks) = (await VerifyAsync(leaves, null), await VerifyAsync(balance.Leaves, balance.Owner));
        screen.Title("an audit of what was exported, against the node");
        await AuditAsync();
        screen.Title("the server again");
        await stage.StartServerAsync(cancel);
        var after = await _books.CheckAsync(stage, cancel);
        DemoCheck.That(before.Count == after.Count && before.All(w => after[w.Key] == w.Value), "a balance changed by kill -9 and restart");
        screen.Holds($"it is back, and all {after.Count} wallets have the same balances");
        return new DemoReport(
            deposit.ToString(), Deposit.ToMsat().Value, _transfers.Count, withdrawal, anchor.Txid, anchor.Block!, verified, chunks,
            RestartedEqual: true, Conserved: true, Math.Round(watch.Elapsed.TotalSeconds, 1));
    }

    /// <summary>Bitcoin comes in: for the treasury, which stands for a user, and for the operator, who pays the miners.</summary>
    private async Task<Txid> DepositAsync()
    {
        screen.Title("a deposit");
        _treasury = await CreateWalletAsync();
        _books.Opened(_treasury);
        var address = (await stage.User.AssignAddressAsync(_treasury, NewId(), cancel)).Value.Address;
        var operators = (await stage.Operator.AssignTopUpAddressAsync(NewId(), cancel)).Value.Address;
        var txid = await stage.Node.PayAsync(address, Deposit, cancel);
        await stage.Node.PayAsync(operators, TopUp, cancel);
        await stage.Node.MineAsync(1, cancel);
        screen.Say($"{Amounts.Format(Deposit.ToMsat(), MoneyUnit.Btc)} to {address}");
        screen.Say($"in {txid}");
        var credited = await DemoCheck.EventuallyAsync("a credited deposit", FindDepositAsync, cancel);
        DemoCheck.That(credited.AmountSat == Deposit.Value && credited.Output.StartsWith(txid.ToString(), StringComparison.Ordinal), $"another deposit was credited: {credited}");
        _books.Deposited(_treasury, Deposit);
        await DemoCheck.EventuallyAsync("the operator's top-up", FindTopUpAsync, cancel);
        _books.ToppedUp(TopUp);
        screen.Holds($"{Amounts.Format(Deposit.ToMsat(), MoneyUnit.Bits)} are credited with 1 confirmation; the operator's wallet is topped up");
        return txid;

        async Task<DepositReply?> FindDepositAsync() =>
            (await stage.User.GetDepositsAsync(_treasury, default, cancel)).Value.Items.SingleOrDefault(d => d.State == "credited");

        async Task<WalletReply?> FindTopUpAsync() =>
            (await stage.Operator.GetOperatorAsync(cancel)).Value.Wallet is { AvailableMsat: > 0 } wallet ? wallet : null;
    }

    private async Task OpenWalletsAsync()
    {
        _wallets = await DemoBooks.ParallelAsync([.. Enumerable.Range(0, WalletsCount)], _ => CreateWalletAsync(), cancel);
        foreach (var wallet in _wallets) _books.Opened(wallet);
        await SendAsync(
            [.. _wallets.Select(w => new Transfer(NewId(), _treasury, w, Allowance, 0, ByteString.Empty))], _ => { });
        screen.Holds($"{WalletsCount:N0} wallets are open, with {Amounts.Format(Allowance, MoneyUnit.Bits)} each");
    }

    private async Task PayAsync()
    {
        screen.Title(string.Create(CultureInfo.InvariantCulture, $"{payments:N0} payments of 0.001 to 5 Bits, each a request of its own"));
        var plan = new PaymentPlan(WalletsCount, payments, Seed);
        _transfers = [.. plan.Payments.Select(p => new Transfer(NewId(), _wallets[p.Payer], _wallets[p.Payee], p.Amount, 0, ByteString.Empty))];
        var watch = Stopwatch.StartNew();
        await screen.ProgressAsync("paid", payments, progress => SendAsync(_transfers, progress));
        screen.Holds(string.Create(CultureInfo.InvariantCulture,
            $"{payments:N0} payments are durable: {payments / watch.Elapsed.TotalSeconds:N0} a second over {Connections} connections"));
    }

    private Task<MempoolEntry?> FindInMempoolAsync(AnchorReply anchor) => Txid.TryParse(anchor.Txid, out var txid)
        ? stage.Node.Node.GetMempoolEntryAsync(txid, cancel)
        : throw new DemoFailedException($"the anchor's id is {anchor.Txid}");

    /// <summary>A withdrawal and the epoch's anchor leave in one transaction.</summary>
    private async Task<(string Txid, AnchorReply Anchor)> SettleAsync()
    {
        screen.Title("a withdrawal, and an epoch with its anchor");
        var (id, wallet) = (NewId(), _wallets[1]);
        var address = await stage.Node.NewMinerAddressAsync(cancel);
        await stage.User.WithdrawAsync(wallet, id, address, Withdrawal, cancel);
        var epoch = (await stage.Operator.CloseEpochAsync(NewId(), cancel)).Value;
        screen.Say($"epoch {epoch.Epoch} closed at {epoch.TreeSize:N0} entries");
        var signed = await DemoCheck.EventuallyAsync("a signed anchor", () => FindAnchorAsync(epoch.Epoch, "broadcast"), cancel);
        // It is sent after it was signed: a block that comes in between would not hold it.
        await DemoCheck.EventuallyAsync("an anchor in the mempool", () => FindInMempoolAsync(signed), cancel);
        await stage.Node.MineAsync(1, cancel);
        await DemoCheck.EventuallyAsync("a confirmed anchor", () => FindAnchorAsync(epoch.Epoch, "confirmed"), cancel);
        await stage.Node.MineAsync(DemoStage.FinalityDepth - 1, cancel);
        var anchor = await DemoCheck.EventuallyAsync("a final anchor", () => FindAnchorAsync(epoch.Epoch, "final"), cancel);
        var paid = (await stage.User.GetWithdrawalAsync(wallet, id, cancel)).Value;
        DemoCheck.That(paid is { State: "final", Txid: not null, Block: not null }, $"the withdrawal is {paid.State}");
        var fee = await CheckOnChainAsync(anchor, paid, address);
        _books.Withdrawn(wallet, Withdrawal);
        _books.PaidForMining(fee);
        screen.Holds($"the node has {Withdrawal} to {address} in block {paid.Height},");
        screen.Say($"   {anchor.Block}");
        screen.Holds($"and the anchor with it in one transaction, for which mining cost {fee}:");
        screen.Say($"   {anchor.Txid}");
        return (paid.Txid!, anchor);

        async Task<AnchorReply?> FindAnchorAsync(long number, string state) =>
            (await stage.Operator.GetEpochAsync(number, cancel)).Value.Anchor is { } found && found.State == state ? found : null;
    }

    /// <summary>Looks the withdrawal and the anchor up in the node; gives what mining cost.</summary>
    private async Task<Sats> CheckOnChainAsync(AnchorReply anchor, WithdrawalReply paid, string address)
    {
        var node = stage.Node.Node;
        var best = await node.GetBlockHashAsync((int)anchor.Height!.Value, cancel);
        DemoCheck.That(best?.ToString() == anchor.Block, $"the server says that block {anchor.Height} is {anchor.Block}, the node says {best}");
        var isTxid = Txid.TryParse(anchor.Txid, out var txid);
        DemoCheck.That(isTxid && paid.Txid == anchor.Txid, $"the withdrawal left with {paid.Txid}, not with the anchor {anchor.Txid}");
        var seen = await node.GetTransactionAsync(txid, cancel);
        DemoCheck.That(seen?.Block == best && seen?.Fee is not null, $"the node does not have {txid} in block {best}");
        var script = BitcoinAddress.TryParse(address, BitcoinNetwork.Regtest, out var bytes, out _) ? bytes : [];
        DemoCheck.That(
            BitcoinTransaction.TryParse(seen!.Raw, out var transaction)
                && transaction.Outputs.Count(o => o.Script.AsSpan().SequenceEqual(script) && o.Value == Withdrawal) == 1,
            $"{txid} does not pay {Withdrawal} to {address}");
        return seen.Fee!.Value;
    }

    private async Task<IReadOnlyList<string>> FetchReceiptsAsync()
    {
        screen.Title("receipts of three payments");
        var pins = await stage.User.GetPinsAsync(cancel);
        var leaves = new List<string>();
        foreach (var transfer in (Transfer[])[_transfers[0], _transfers[_transfers.Count / 2], _transfers[^1]])
        {
            var receipt = (await stage.User.GetReceiptAsync(transfer.Payer, transfer.Id, cancel)).Value;
            DemoCheck.That(receipt.OpenTimestamps is not null, $"the receipt of {transfer.Id} is not anchored");
            leaves.Add(ReceiptFolder.Write(Path.Combine(output, "receipts"), transfer.Id.ToString(), receipt, pins));
        }
        screen.Say($"fetched to {Path.Combine(output, "receipts")}");
        return leaves;
    }

    /// <summary>What the epoch's statement owes a wallet, and all that is published; with the headers that prove the blocks.</summary>
    private async Task<(IReadOnlyList<string> Leaves, BalanceOwner Owner)> ExportAsync(long epoch)
    {
        screen.Title("what the epoch owes, and what covers it");
        var statement = (await stage.Operator.GetEpochAsync(epoch, cancel)).Value.Statement!;
        // The anchor has spent some of its coins by now; that their keys were there is proven all the same.
        var proof = (await stage.Operator.SignReservesAsync(epoch, cancel)).Value;
        DemoCheck.That(proof is { State: "proven", Unsigned: 0 }, $"the reserves of epoch {epoch} are {proof.State}, and {proof.Unsigned} of {proof.Coins} coins are not signed");
        var wallet = _wallets[1];
        var balance = (await stage.User.GetBalanceProofAsync(wallet, epoch, cancel)).Value;
        var key = (await stage.User.GetLiabilityKeyAsync(wallet, cancel)).Value;
        var leaves = ReceiptFolder.Write(Path.Combine(output, "balances"), wallet, balance, await stage.User.GetPinsAsync(cancel));
        var files = new LinuxFileSystem();
        using (var everybodys = new ExportFolder(files, Path.Combine(output, "export"), isPublic: true))
        using (var auditors = new ExportFolder(files, Path.Combine(output, "auditor"), isPublic: false))
        {
            var epochs = new EpochExportReport(0, 0);
            var log = await new LogExport(stage.Operator.GetPublishedAsync, everybodys, auditors).RunAsync(
                cancel, async stop => epochs = await new EpochExport(stage.Operator.FindPublishedAsync, everybodys, auditors).RunAsync(stop));
            screen.Holds($"epoch {epoch} owes {Session.Bits(statement.TotalMsat)} at block {statement.Height}, and its coins are listed with their proofs");
            screen.Holds($"the keys of its {proof.Coins} coins of {Session.Sat(proof.TotalSat)} signed");
            screen.Say($"   '{proof.Message}'");
            screen.Say($"{log.Size:N0} entries in {log.Tiles} tiles, and {epochs.Files} files of {epochs.Epochs} epoch exported to {output}");
        }
        await WriteHeadersAsync();
        return (leaves, new BalanceOwner(wallet, Hash256.TryParse(key.Key, out var secret) ? secret : throw new DemoFailedException($"the wallet's key is {key.Key}")));
    }

    /// <summary>What an auditor does with the folders: everything is computed again, and the node is asked what is in its chain.</summary>
    private async Task AuditAsync()
    {
        using var chain = await NodeChainView.OpenAsync(stage.Node.Endpoint, stage.Node.CookieFile, cancel);
        var report = await Task.Run(
            () => LedgerAuditor.Run(new AuditInputs(new DiskFolder(Path.Combine(output, "export"), cancel))
            {
                Entries = new DiskFolder(Path.Combine(output, "auditor"), cancel),
                Chain = chain,
            }),
            cancel);
        DemoCheck.That(report.Holds, $"the audit finds {report.Finding?.Code}: {report.Finding?.Text}");
        foreach (var step in report.Steps)
        {
            if (step.Outcome == StepOutcome.Passed) screen.Holds(step.Text);
            else screen.Say($"not checked: {step.Text}");
        }
    }

    private async Task WriteHeadersAsync()
    {
        var headers = new SortedDictionary<int, string>();
        var chain = await stage.Node.Node.GetBlockchainInfoAsync(cancel);
        for (var height = 0; height <= chain.Blocks; height++)
        {
            var hash = await stage.Node.Node.GetBlockHashAsync(height, cancel);
            headers[height] = Convert.ToHexStringLower((await stage.Node.Node.GetBlockHeaderAsync(hash!.Value, cancel))!);
        }
        await File.WriteAllTextAsync(
            Path.Combine(output, "headers.json"),
            "{" + string.Join(",", headers.Select(h => string.Create(CultureInfo.InvariantCulture, $"\"{h.Key}\":\"{h.Value}\""))) + "}\n", cancel);
    }

    /// <summary>The server is gone: files, pins and a node are enough.</summary>
    /// <returns>How many receipts hold.</returns>
    private async Task<int> VerifyAsync(IReadOnlyList<string> leaves, BalanceOwner? owner)
    {
        var verified = 0;
        DemoCheck.That(Pins.TryParse(await File.ReadAllTextAsync(ReceiptFolder.PinsBeside(leaves[0]), cancel), out var pins, out var refusal), refusal);
        var header = HeaderSources.FromNode(stage.Node.Endpoint, stage.Node.Credentials, BitcoinNetwork.Regtest);
        foreach (var leaf in leaves)
        {
            var receipt = await ReceiptCheck.RunAsync(leaf, new Trusted(pins!.Key, pins, header) { Owner = owner }, cancel);
            DemoCheck.That(
                receipt is { Holds: true, Verdict: ReceiptVerdict.AnchoredInBlock },
                $"{leaf} does not hold: {receipt.Steps[^1].Text}");
            // The statement in words begins with its entry and time, and ends with its id: too much for one line.
            screen.Holds("verified: " + receipt.Statement!.Replace(": ", $":{Environment.NewLine}      ", StringComparison.Ordinal)
                .Replace(", id ", $",{Environment.NewLine}      id ", StringComparison.Ordinal));
            verified++;
        }
        return verified;
    }

    private async Task SendAsync(IReadOnlyList<Transfer> transfers, Action<int> progress)
    {
        await new PaymentLoad(stage.Url, stage.UserKey, Connections).SendAsync(transfers, progress, cancel);
        foreach (var transfer in transfers) _books.Paid(transfer.Payer, transfer.Payee, transfer.Amount);
    }

    private async Task<WalletId> CreateWalletAsync()
    {
        var text = (await stage.User.CreateWalletAsync(NewId(), cancel)).Value.Wallet;
        DemoCheck.That(WalletId.TryParse(text, out var wallet), $"the server made a wallet with the name '{text}'");
        return wallet;
    }

    private static OperationId NewId() => ClientIds.Next(TimeProvider.System);
}
