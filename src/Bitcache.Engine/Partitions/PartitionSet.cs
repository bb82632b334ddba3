// All partitions of a ledger in one process, and the way to the right one: a wallet lives in one partition, and what is
// asked for under its id is decided there. What can only be known in another partition, whether a payee exists, is asked
// there before. With one partition nothing is asked and nothing is cut: the call goes straight through.

using Bitcache.Core;
using Bitcache.Engine.Settlement;

namespace Bitcache.Engine.Partitions;

public sealed class PartitionSet : IAsyncDisposable
{
    private readonly Partition[] _partitions;
    private readonly LegCourier? _courier;
    // What is set in every partition is set by one at a time, or two could leave them different.
    private readonly SemaphoreSlim _settingEverywhere = new(1);
    // Which partition decides about an output is asked and then done: another under the same id must not come in between.
    private readonly SemaphoreSlim _deciding = new(1);

    /// <param name="partitions">In the order of their numbers.</param>
    /// <param name="courier">Carries credits between them; null if there is one.</param>
    public PartitionSet(IReadOnlyList<Partition> partitions, LegCourier? courier = null)
    {
        ArgumentOutOfRangeException.ThrowIfZero(partitions.Count);
        if (partitions.Count > 1) ArgumentNullException.ThrowIfNull(courier);
        (_partitions, _courier) = ([.. partitions], courier);
        var never = new SettlementTerm(this);
        Term = () => never;
    }

    /// <summary>Gives the term of the settlement in this process, or throws if it is not here. What is set in every partition is set
    /// under it, and what one of them decides after all were asked: of two processes only the one that settles may, or they could leave
    /// partitions different, or have one id decide twice. Unless it is set, it is
    /// the term of a ledger that was never taken over.</summary>
    public Func<SettlementTerm> Term { get; set; }

    public int Count => _partitions.Length;
    public Partition this[int number] => _partitions[number];
    public IReadOnlyList<Partition> All => _partitions;

    /// <summary>The one that keeps what there is once: the chain's cursor, the log's cuts, the anchors, what wallets are
    /// made of under a tenant.</summary>
    public Partition First => _partitions[0];

    /// <summary>Credits that are on their way from one partition to another.</summary>
    public long LegsInFlight => _courier?.InFlight ?? 0;

    public bool IsBusy => Array.Exists(_partitions, static partition => partition.IsBusy);
    public bool IsStorageFull => Array.Exists(_partitions, partition => partition.IsStorageFull);
    /// <summary>Whether the clock is trusted by which this process writes those that it does.</summary>
    public bool IsClockTrusted => Array.TrueForAll(_partitions, partition => partition.IsClockTrusted);

    /// <summary>Where a wallet lives; where it would, if there is none.</summary>
    public Partition HomeOf(WalletId wallet) => _partitions[wallet.PartitionOf(Count)];

    /// <summary>As <see cref="Partition.SubmitAsync(in Payment, uint)"/>.</summary>
    public ValueTask<PaymentAnswer> SubmitAsync(in Payment payment, uint tenant) =>
        Count == 1 ? First.SubmitAsync(payment, tenant) : SubmitAcrossAsync(payment, tenant);

    /// <summary>As <see cref="Partition.SubmitAsync(PaymentBlock)"/>.</summary>
    /// <exception cref="OutcomeUnknownException">Perhaps some were applied: also when some partitions took their part
    /// and another did not.</exception>
    public ValueTask SubmitAsync(PaymentBlock block) => Count == 1 ? First.SubmitAsync(block) : new ValueTask(SubmitAcrossAsync(block));

    /// <summary>As <see cref="Partition.Recall(PaymentBlock)"/>.</summary>
    public void Recall(PaymentBlock block)
    {
        if (Count == 1)
        {
            First.Recall(block);
            return;
        }
        foreach (var part in Cut(block).Where(part => part is not null))
        {
            part!.RecallFrom(block);
            _partitions[part.Home].Recall(part.Block);
            part.CopyTo(block);
        }
    }

    /// <summary>As <see cref="Partition.SubmitAsync(Command, uint, long)"/>, in the partition of the wallet that the command names.</summary>
    public async Task<Answer> SubmitAsync(ClientCommand command, uint tenant)
    {
        if (Count == 1 && command is not SetFrozen) return await First.SubmitAsync(command, tenant);
        var home = HomeOf(command.Owner);
        return command switch
        {
            CreateWallet or EpochCut or SetFees or StopWithdrawals or AssignSuspense or SettleDeposit or RotateKey => throw new ArgumentException($"{command.GetType().Name} belongs to no wallet", nameof(command)),
            Split split => await home.SubmitAsync(split with { PayeesElsewhereExist = await ExistAsync(split, home.Number) }, tenant),
            // The operator has an account in each partition, and all of them are its wallet. Limits bind payments, which leave from
            // the first alone.
            SetFrozen when home == First && await IsOperatorsAsync(command.Owner) => await SubmitEverywhereAsync(command, tenant),
            RequestWithdrawal withdrawal => await home.SubmitAsync(withdrawal with { OwnerElsewhere = await OwnerElsewhereAsync(withdrawal.Script, home) }, tenant),
            _ => await home.SubmitAsync(command, tenant),
        };
    }

    /// <summary>Makes a wallet. A retry finds the one of the first time, because the operation's id decides where it lives.</summary>
    public Task<Answer> CreateWalletAsync(OperationId id, uint tenant)
    {
        var home = new WalletId(id.Value).PartitionOf(Count);
        return _partitions[home].SubmitAsync(new CreateWallet(id, tenant, ClientIds.NextWallet(home, Count)), tenant);
    }

    /// <summary>Sets a tenant's fees everywhere.</summary>
    /// <exception cref="OutcomeUnknownException">Perhaps some partitions have them; a retry with the same id sets the others'.</exception>
    /// <exception cref="TermOverException">Another process settles now. Perhaps some partitions have them; a retry there sets the others'.</exception>
    public Task<Answer> SubmitAsync(SetFees command, uint tenant) => SubmitEverywhereAsync(command, tenant);

    /// <summary>Gives a wallet what is in suspense, from the partition that booked it to the one where the wallet lives.</summary>
    /// <exception cref="PartitionUnavailableException">Also when too much is on its way between the two.</exception>
    /// <exception cref="TermOverException">Another process settles now. Nothing was given by this call.</exception>
    public Task<Answer> SubmitAsync(AssignSuspense command, uint tenant) => DecideAsync(command, command.OutPoint, tenant, async source =>
    {
        var home = HomeOf(command.Wallet);
        if (source == home || await IsOperatorsAsync(command.Wallet)) return command;
        CheckLane(source, home);
        var owner = (await home.OwnersAsync([command.Wallet]))[0];
        return command with { ExistsElsewhere = owner is not null };
    });

    /// <summary>Says what became of a deposit that is frozen, in the partition that booked it.</summary>
    /// <exception cref="TermOverException">Another process settles now. Nothing was said by this call.</exception>
    public Task<Answer> SubmitAsync(SettleDeposit command, uint tenant) => DecideAsync(command, command.OutPoint, tenant, _ => Task.FromResult<ClientCommand>(command));

    /// <summary>Has the partition that booked an output decide a command of the operator's about it, one after the other and all of
    /// them under the term: what became of one that is not answered another under its id could not see.</summary>
    /// <param name="complete">Finds out for the partition what only others know.</param>
    private async Task<Answer> DecideAsync(ClientCommand command, OutPoint output, uint tenant, Func<Partition, Task<ClientCommand>> complete)
    {
        await _deciding.WaitAsync();
        try
        {
            // Before anybody is asked: what is sent under the terms before stands in the journals then, or never will.
            var term = Term();
            var holder = Count == 1 ? First : await FindHolderAsync(command, output);
            return await term.SubmitAsync(holder, Count == 1 ? command : await complete(holder), tenant);
        }
        finally
        {
            _deciding.Release();
        }
    }

    /// <summary>The partition that decides; the first one if none knows the output.</summary>
    private async Task<Partition> FindHolderAsync(ClientCommand command, OutPoint output)
    {
        var views = await QueryAllAsync(ledger => (
            Knows: ledger.FindId(command.Owner, command.Id) is not null, Has: ledger.FindDeposit(output) is not null));
        // An id that was used decides: what it was used for, only the partition that knows it can tell.
        var at = Array.FindIndex(views, view => view.Knows);
        return _partitions[at >= 0 ? at : Math.Max(0, Array.FindIndex(views, view => view.Has))];
    }

    /// <summary>Stops all withdrawals, or lets them go on. The first partition decides, and the others follow it at once; where
    /// the process ends in between, the settlement has them follow before it opens or signs anything.</summary>
    /// <exception cref="OutcomeUnknownException">Perhaps it is decided; a retry with the same id tells, and completes it.</exception>
    /// <exception cref="TermOverException">Another process settles now. Perhaps it is decided.</exception>
    public async Task<Answer> StopWithdrawalsAsync(StopWithdrawals command)
    {
        await _settingEverywhere.WaitAsync();
        try
        {
            var term = Term();
            var answer = await term.SubmitAsync(command);
            await FollowFirstAsync(term);
            return answer;
        }
        catch (PartitionUnavailableException e) when (Count > 1)
        {
            throw new OutcomeUnknownException(e);
        }
        finally
        {
            _settingEverywhere.Release();
        }
    }

    /// <summary>Has every partition stop withdrawals if the first has, and let them go on if it has not.</summary>
    /// <exception cref="TermOverException">Another process settles now.</exception>
    public async Task FollowStopAsync(SettlementTerm term)
    {
        if (Count == 1) return;
        await _settingEverywhere.WaitAsync();
        try
        {
            await FollowFirstAsync(term);
        }
        finally
        {
            _settingEverywhere.Release();
        }
    }

    /// <summary>An operator's word that the clocks are right, to whoever writes each partition; false if some partition cannot take
    /// it: see <see cref="BatchClock.Confirm"/>.</summary>
    /// <exception cref="PartitionUnavailableException">Not everybody could be told; it may be said again.</exception>
    /// <exception cref="OutcomeUnknownException">The same.</exception>
    public async Task<bool> ConfirmClockAsync() =>
        (await Task.WhenAll(_partitions.Select(partition => partition.ConfirmClockAsync()))).All(confirmed => confirmed);

    /// <summary>Asks every partition; see <see cref="Partition.QueryAsync"/>. The answers, in the order of the partitions,
    /// are of moments close to one another.</summary>
    public async Task<T[]> QueryAllAsync<T>(Func<Ledger, T> question) => Count == 1
        ? [await First.QueryAsync(question)]
        : await Task.WhenAll(_partitions.Select(partition => partition.QueryAsync(question)));

    /// <summary>Asks about each of several things where it is known, one question for each partition that is concerned.</summary>
    /// <param name="homeOf">The wallet whose partition knows it.</param>
    /// <returns>The answers, in the order of the things.</returns>
    public async Task<TAnswer[]> QueryEachAsync<TItem, TAnswer>(TItem[] items, Func<TItem, WalletId> homeOf, Func<Ledger, TItem, TAnswer> question)
    {
        if (Count == 1) return await First.QueryAsync(ledger => Array.ConvertAll(items, item => question(ledger, item)));
        var answers = new TAnswer[items.Length];
        var places = Enumerable.Range(0, items.Length).GroupBy(i => homeOf(items[i]).PartitionOf(Count));
        await Task.WhenAll(places.Select(async group =>
        {
            var at = group.ToArray();
            var known = await _partitions[group.Key].QueryAsync(ledger => Array.ConvertAll(at, i => question(ledger, items[i])));
            for (var i = 0; i < at.Length; i++) answers[at[i]] = known[i];
        }));
        return answers;
    }

    /// <summary>Takes no more, finishes what was taken. Credits that are still on their way go on at the next start.</summary>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_partitions.Select(partition => partition.DisposeAsync().AsTask()));
        _courier?.Dispose();
        // Whoever has it has been answered, and gives it back.
        await _settingEverywhere.WaitAsync();
        _settingEverywhere.Dispose();
        await _deciding.WaitAsync();
        _deciding.Dispose();
    }

    /// <summary>Submits a command to every partition. What was interrupted between two of them, a retry completes, unless something
    /// else was set since: that stays.</summary>
    /// <returns>The first refusal, or what the first partition answered: readers ask that one, so it comes last.</returns>
    private async Task<Answer> SubmitEverywhereAsync(ClientCommand command, uint tenant)
    {
        var answered = 0;
        await _settingEverywhere.WaitAsync();
        try
        {
            var term = Term();
            while (true)
            {
                var partition = _partitions[Count - 1 - answered];
                var answer = await term.SubmitAsync(partition, command, tenant);
                if (++answered == Count || answer.Outcome != Outcome.Accepted) return answer;
                if (answer.IsRetry && !await partition.QueryAsync(ledger => IsSet(ledger, command, tenant)) && !await IsKnownAsync(command)) return answer;
            }
        }
        catch (PartitionUnavailableException e) when (answered > 0)
        {
            throw new OutcomeUnknownException(e);
        }
        finally
        {
            _settingEverywhere.Release();
        }
    }

    /// <summary>Whether what a command sets everywhere is so in a partition that knows it.</summary>
    private static bool IsSet(Ledger ledger, ClientCommand command, uint tenant) => command switch
    {
        SetFees fees => ledger.FeesOf(fees.Tenant) == fees.Schedule,
        SetFrozen freeze => ledger.FindWallet(freeze.Wallet)!.Value.Freezes.HasFlag(tenant == Ledger.OperatorTenant ? Freezes.Operator : Freezes.Owner) == freeze.Frozen,
        _ => throw new ArgumentException($"{command.GetType().Name} is not set everywhere", nameof(command)),
    };

    /// <summary>Whether the first partition, to which it comes last, has a command.</summary>
    private Task<bool> IsKnownAsync(ClientCommand command) => First.QueryAsync(ledger => ledger.FindId(command.Owner, command.Id) is not null);

    private async Task FollowFirstAsync(SettlementTerm term)
    {
        if (Count == 1) return;
        var stopped = await QueryAllAsync(ledger => ledger.WithdrawalsStopped);
        var late = _partitions.Where((_, number) => stopped[number] != stopped[0]);
        // One that takes nothing now must not keep the others from it.
        await Task.WhenAll(late.Select(partition => term.SubmitAsync(partition, new StopWithdrawals(default, stopped[0]))));
    }

    private async Task<bool> IsOperatorsAsync(WalletId wallet) => wallet == await First.QueryAsync(ledger => ledger.OperatorWallet.Id);

    private async ValueTask<PaymentAnswer> SubmitAcrossAsync(Payment payment, uint tenant)
    {
        var (home, payee) = (HomeOf(payment.Payer), HomeOf(payment.Payee));
        if (payee != home)
        {
            CheckLane(home, payee);
            var owner = (await payee.OwnersAsync([payment.Payee]))[0];
            payment = payment with { Facts = FactsOf(owner, tenant) };
        }
        return await home.SubmitAsync(payment, tenant);
    }

    private async Task SubmitAcrossAsync(PaymentBlock block)
    {
        await FindPayeesAsync(block);
        var parts = Cut(block).Where(part => part is not null).ToArray();
        var done = Task.WhenAll(parts.Select(part => SubmitPartAsync(part!, block)));
        try
        {
            await done;
        }
        catch (PartitionUnavailableException e) when (done.Exception!.InnerExceptions.OfType<PartitionUnavailableException>().Count() < parts.Length)
        {
            // Some part was taken, or nobody knows.
            throw new OutcomeUnknownException(e);
        }
    }

    private async Task SubmitPartAsync(BlockPart part, PaymentBlock block)
    {
        await _partitions[part.Home].SubmitAsync(part.Block);
        part.CopyTo(block);
    }

    /// <summary>The payments of a block by the partition that decides them; null where there is none.</summary>
    private BlockPart?[] Cut(PaymentBlock block)
    {
        var parts = new BlockPart?[Count];
        for (var i = 0; i < block.Count; i++)
        {
            var home = block.Payments[i].Payer.PartitionOf(Count);
            (parts[home] ??= new BlockPart(home, block.Tenant)).Add(i);
        }
        foreach (var part in parts) part?.Fill(block);
        return parts;
    }

    /// <summary>Asks each partition once for all payees that live there and are paid from elsewhere.</summary>
    private async Task FindPayeesAsync(PaymentBlock block)
    {
        var elsewhere = Enumerable.Range(0, block.Count).Where(i => HomeOf(block.Payments[i].Payer) != HomeOf(block.Payments[i].Payee)).ToArray();
        foreach (var i in elsewhere) CheckLane(HomeOf(block.Payments[i].Payer), HomeOf(block.Payments[i].Payee));
        await Task.WhenAll(elsewhere.GroupBy(i => HomeOf(block.Payments[i].Payee)).Select(async group =>
        {
            var at = group.ToArray();
            var owners = await group.Key.OwnersAsync(Array.ConvertAll(at, i => block.Payments[i].Payee));
            for (var i = 0; i < at.Length; i++) block.Payments[at[i]] = block.Payments[at[i]] with { Facts = FactsOf(owners[i], block.Tenant) };
        }));
    }

    private async Task<bool> ExistAsync(Split split, int home)
    {
        var elsewhere = split.Parts.Where(part => HomeOf(part.Payee).Number != home).GroupBy(part => HomeOf(part.Payee)).ToArray();
        foreach (var group in elsewhere) CheckLane(_partitions[home], group.Key);
        var owners = await Task.WhenAll(elsewhere.Select(group => group.Key.OwnersAsync([.. group.Select(part => part.Payee)])));
        return owners.SelectMany(of => of).All(owner => owner is not null);
    }

    /// <summary>The wallet that a script belongs to, if it lives in another partition.</summary>
    private async Task<WalletId> OwnerElsewhereAsync(ByteString script, Partition home)
    {
        var owners = await Task.WhenAll(_partitions.Where(partition => partition != home).Select(partition =>
            partition.QueryAsync(ledger => ledger.FindAddress(script)?.Wallet ?? default)));
        var owner = owners.FirstOrDefault(wallet => !wallet.IsNone);
        if (!owner.IsNone) CheckLane(home, HomeOf(owner));
        return owner;
    }

    /// <exception cref="PartitionUnavailableException">Too much is on its way between the two.</exception>
    private void CheckLane(Partition source, Partition destination)
    {
        if (_courier!.IsBusy(source.Number, destination.Number)) throw new PartitionUnavailableException(Unavailable.Busy);
    }

    private static PayeeFacts FactsOf(uint? owner, uint tenant) =>
        owner is null ? PayeeFacts.None : owner == tenant ? PayeeFacts.Exists | PayeeFacts.IsCallers : PayeeFacts.Exists;

    /// <summary>The payments of a block that one partition decides.</summary>
    private sealed class BlockPart(int home, uint tenant)
    {
        private readonly List<int> _at = [];
        private PaymentBlock? _block;

        public int Home => home;
        public PaymentBlock Block => _block!;

        public void Add(int at) => _at.Add(at);

        public void Fill(PaymentBlock block)
        {
            _block = new PaymentBlock(_at.Count) { Tenant = tenant, Count = _at.Count };
            for (var i = 0; i < _at.Count; i++) _block.Payments[i] = block.Payments[_at[i]];
        }

        public void RecallFrom(PaymentBlock block)
        {
            for (var i = 0; i < _at.Count; i++) Block.Results[i] = block.Results[_at[i]];
        }

        public void CopyTo(PaymentBlock block)
        {
            for (var i = 0; i < _at.Count; i++) block.Results[_at[i]] = Block.Results[i];
        }
    }
}
