// Sends what clients ask for and holds every answer against the oracle. A command that left an entry must have the
// answer of that entry. One that left none took effect nowhere, but was looked at at some moment between being sent and
// being answered: at one of these the model must give the same answer.

using Bitcache.Core;
using Bitcache.Engine.Journal;
using Bitcache.Engine.Partitions;

namespace Bitcache.Simulation;

internal sealed class Clerk(Random random, Oracle oracle, EpisodeSettings settings, Coverage coverage)
{
    private readonly Dictionary<(WalletId, OperationId, Type?), Request> _requests = [];
    private readonly List<Request> _sent = [];
    private readonly List<Request> _unsettled = [];

    /// <summary>What was known when an attempt was sent.</summary>
    private readonly record struct Attempt(Request Request, ClientCommand Command, uint Tenant, Moment Sent, bool IsAlone, long Term);

    /// <summary>A moment: what is durable, and what the partition shows.</summary>
    /// <param name="Batch">Which of its times, counted from 0.</param>
    private readonly record struct Moment(long Next, int Batch, bool Trusted, int TrustChanges);

    /// <summary>Attempts on their way.</summary>
    public int Outstanding { get; private set; }

    public IReadOnlyList<Request> Sent => _sent;

    /// <summary>Takes an entry that a client asked for.</summary>
    public void Admit(Entry entry, ClientCommand command)
    {
        Must.Hold(_requests.TryGetValue(Request.IdentityOf(command), out var request), $"Nobody sent {command}.");
        Must.Hold(request.MayTakeEffect, $"Nothing of {command} was on its way any more.");
        Must.Hold(request.Tenant == entry.Tenant && request.Asked(command), $"Nobody asked for {command} by tenant {entry.Tenant}.");
        if (entry.Type == EntryType.WithdrawalRequested && command is RequestWithdrawal made && request.Terms is RequestWithdrawal asked)
            Must.Hold((made.ApprovalFrom is not null) == (made.Amount >= asked.ApprovalFrom), $"{command} was asked for with approval from {asked.ApprovalFrom} on.");
    }

    /// <summary>After a recovery nothing is on its way.</summary>
    public void Recovered()
    {
        foreach (var request in _unsettled) request.Recovered();
        _unsettled.Clear();
        Outstanding = 0;
    }

    public async void Send(Life life, ClientCommand command, uint tenant)
    {
        var attempt = Begin(life, command, tenant);
        life.Sending(1);
        try
        {
            if (command is PaymentCommand payment && random.Next(4) != 0)
            {
                var answer = await life.Subject.SubmitAsync(payment.ToPayment(), tenant);
                Take(attempt, life, answer.Outcome, answer.Sequence == 0 ? null : answer.Sequence, answer.IsRetry, m =>
                    Shows(m, payment.Payer, answer.Payer) && Shows(m, payment.Payee, answer.Payee));
            }
            else
            {
                var answer = await life.Subject.SubmitAsync(command, tenant, attempt.Term);
                var owner = command is CreateWallet made ? made.Wallet : command.Owner;
                Take(attempt, life, answer.Outcome, answer.Entry?.Sequence, answer.IsRetry, m =>
                    Shows(m, owner, answer.Owner) && (command is not PaymentCommand p || Shows(m, p.Payee, answer.Payee)));
            }
            End(attempt, isUnknown: false);
        }
        catch (Exception e) when (e is PartitionUnavailableException || IsLost(life, e))
        {
            TakeNothing(attempt, life, e);
        }
    }

    /// <summary>Sends payments of one tenant together.</summary>
    public async void Send(Life life, IReadOnlyList<PaymentCommand> payments, uint tenant)
    {
        var attempts = payments.Select(p => Begin(life, p, tenant)).ToArray();
        life.Sending(payments.Count);
        var block = new PaymentBlock(payments.Count) { Count = payments.Count, Tenant = tenant };
        for (var i = 0; i < payments.Count; i++) block.Payments[i] = payments[i].ToPayment();
        try
        {
            await life.Subject.SubmitAsync(block);
            var results = block.Results.ToArray();
            foreach (var result in results) Must.Hold(result.Sequence < oracle.Next, $"P1: a payment of a block was answered at sequence {result.Sequence}, and {oracle.Next - 1} is the last that is durable.");
            life.Partition.Recall(block);
            for (var i = 0; i < results.Length; i++) Take(attempts[i], life, results[i], block.Results[i]);
            foreach (var attempt in attempts) End(attempt, isUnknown: false);
        }
        catch (Exception e) when (e is PartitionUnavailableException || IsLost(life, e))
        {
            foreach (var attempt in attempts) TakeNothing(attempt, life, e);
        }
    }

    /// <summary>Sends the operator's own command; <paramref name="done"/> is called when nothing more can come of it.</summary>
    /// <param name="term">Under which it settles.</param>
    public async void Send(Life life, Command command, long term, Action done)
    {
        var sent = MomentOf(life);
        Outstanding++;
        life.Sending(1);
        try
        {
            var answer = await life.Partition.SubmitAsync(command, term: term);
            if (answer.Entry is { } entry) Must.Hold(entry.Sequence < oracle.Next && oracle.EntryAt(entry.Sequence).Outcome == answer.Outcome, $"P1: {command} is not where it was answered.");
            else RequireMoment(life, command, Ledger.OperatorTenant, term, answer.Outcome, sent, _ => true);
            coverage.Count(answer.Outcome);
            done();
        }
        catch (PartitionUnavailableException e)
        {
            CheckReason(life, e, sent);
            done();
        }
        catch (Exception e) when (IsLost(life, e))
        {
            // Nobody knows until the journal is read again.
        }
        Outstanding--;
    }

    /// <summary>Whether the answer is not known, or was known when everything stopped, and did not leave any more.</summary>
    public static bool IsLost(Life life, Exception e) =>
        e is OutcomeUnknownException || (life.StoppedBy is not null && e is (JournalFailedException or MachineStoppedException));

    private Attempt Begin(Life life, ClientCommand command, uint tenant)
    {
        if (!_requests.TryGetValue(Request.IdentityOf(command), out var request))
        {
            request = new Request(command, tenant);
            _requests.Add(Request.IdentityOf(command), request);
            _sent.Add(request);
        }
        var attempt = new Attempt(request, command, tenant, MomentOf(life), request.Outstanding == 0, oracle.Latest.Term);
        if (!request.MayTakeEffect) _unsettled.Add(request);
        request.Send(command);
        Outstanding++;
        return attempt;
    }

    private void End(in Attempt attempt, bool isUnknown)
    {
        attempt.Request.End(isUnknown);
        Outstanding--;
    }

    private void TakeNothing(in Attempt attempt, Life life, Exception e)
    {
        if (e is PartitionUnavailableException unavailable) CheckReason(life, unavailable, attempt.Sent);
        else coverage.Count("answered outcome unknown");
        End(attempt, isUnknown: e is not PartitionUnavailableException);
    }

    private void CheckReason(Life life, PartitionUnavailableException e, Moment sent)
    {
        coverage.Count($"refused {e.Reason}");
        var holds = e.Reason switch
        {
            Unavailable.StorageFull => life.HasBeenFull,
            Unavailable.Busy => life.QueueWasFull || WindowWasFull(sent),
            Unavailable.Stopping => false,
        };
        Must.Hold(holds, $"Refused as {e.Reason} without need.");
    }

    /// <summary>Whether the window may have been full at some moment since then: the floor may have risen before the refusal was seen.</summary>
    private bool WindowWasFull(Moment sent)
    {
        // What was not durable yet when it was refused may have filled it.
        var least = settings.Bounds.WindowIds - (3 * settings.Bounds.BatchEntries);
        for (var next = oracle.Next; next >= sent.Next; next--)
        {
            if (oracle.Before(next).Ids.Count >= least) return true;
        }
        return false;
    }

    private void Take(in Attempt attempt, Life life, in PaymentResult first, in PaymentResult recalled)
    {
        var (payer, payee) = (attempt.Command.Owner, ((PaymentCommand)attempt.Command).Payee);
        var (payerAvailable, payeeAvailable) = (recalled.PayerAvailable, recalled.PayeeAvailable);
        var isRetry = first.Outcome == Outcome.Known;
        Take(attempt, life, recalled.Outcome, recalled.Sequence == 0 ? null : recalled.Sequence, isRetry, m =>
            (payerAvailable is not { } a || m.Wallets[payer].Available == a.Value) && (payeeAvailable is not { } b || m.Wallets[payee].Available == b.Value));
    }

    /// <summary>Holds an answer against the oracle.</summary>
    /// <param name="shows">Whether the balances that came with it are those of a moment.</param>
    private void Take(in Attempt attempt, Life life, Outcome outcome, long? sequence, bool isRetry, Func<Model, bool> shows)
    {
        coverage.Count(outcome);
        if (isRetry) coverage.Count("retries answered");
        var command = attempt.Command;
        if (outcome == Outcome.IdReused)
        {
            Must.Hold(oracle.Find(command) is { } other && !command.HasSameTerms((ClientCommand)oracle.EntryAt(other).Command), $"P5: {command} is called another's.");
        }
        else if (outcome == Outcome.IdInFlight)
        {
            Must.Hold(!attempt.IsAlone || oracle.Find(command) >= attempt.Sent.Next, $"{command} is called in flight, and nothing of it was.");
        }
        else if (sequence is { } at)
        {
            Must.Hold(at < oracle.Next, $"P1: {command} was answered at sequence {at}, and {oracle.Next - 1} is the last that is durable.");
            Must.Hold(oracle.Find(command) == at, $"P5: {command} was answered at sequence {at}, its entry is {oracle.Find(command)}.");
            var entry = oracle.EntryAt(at);
            Must.Hold(entry.Outcome == outcome && command.HasSameTerms((ClientCommand)entry.Command), $"P5: {command} was answered {outcome}, its entry says {entry.Outcome} of {entry.Command}.");
            // A first answer that was not durable when the retry was looked at could not be given for it.
            if (isRetry) Must.Hold(at <= life.DurableBefore, $"{command} was in flight, and is answered as known.");
            if (isRetry) RequireShown(command, Math.Max(at + 1, attempt.Sent.Next), shows);
            else Must.Hold(at >= attempt.Sent.Next && shows(oracle.After(at)), $"{command} was answered with other balances than entry {at} leaves.");
        }
        else
        {
            RequireMoment(life, command, attempt.Tenant, attempt.Term, outcome, attempt.Sent, shows);
        }
    }

    private void RequireShown(ClientCommand command, long from, Func<Model, bool> shows)
    {
        for (var next = oracle.Next; next >= from; next--)
        {
            var model = oracle.Before(next);
            if (model.Ids.ContainsKey((command.Owner, command.Id)) && shows(model)) return;
        }
        throw new SimulationFailedException($"A retry of {command} was answered, and at no moment since it was sent were these its balances and its id known.");
    }

    /// <summary>At some moment between the two the model gives the same answer.</summary>
    private void RequireMoment(Life life, Command command, uint tenant, long term, Outcome outcome, Moment sent, Func<Model, bool> shows)
    {
        var answered = MomentOf(life);
        for (var next = answered.Next; next >= sent.Next; next--)
        {
            var model = oracle.Before(next);
            if (!shows(model)) continue;
            // The batch that decided may be any that was begun meanwhile, or that of the entry before.
            foreach (var time in life.Times.Skip(sent.Batch).Take(answered.Batch + 1 - sent.Batch).Where(t => t > model.Now).Append(model.Now))
            {
                if (Answer(model, time, answered.Trusted) == outcome || Answer(model, time, sent.Trusted) == outcome) return;
                if (sent.TrustChanges != answered.TrustChanges && Answer(model, time, !answered.Trusted) == outcome) return;
            }
        }
        var last = oracle.Before(answered.Next);
        throw new SimulationFailedException($"{command} was answered {outcome} between {sent} and {answered}, at {life.Times[sent.Batch]} and {life.Times[answered.Batch]}; by the rules it is {Answer(last, life.Times[answered.Batch], answered.Trusted)}, and the balances that came with it are {(shows(last) ? "right" : "wrong")}.");

        Outcome? Answer(Model model, UnixTime time, bool trusted) =>
            (model with { Now = time, ClockTrusted = trusted, AheadIdsMax = settings.Bounds.AheadIds, Under = term }).Apply(command, tenant).Outcome;
    }

    private Moment MomentOf(Life life) => new(oracle.Next, life.Times.Count - 1, life.Partition.IsClockTrusted, life.TrustChanges);

    private static bool Shows(Model model, WalletId id, Wallet? wallet) =>
        wallet is { } there ? model.Wallets.TryGetValue(id, out var by) && by == Comparison.Of(there) : !model.Wallets.ContainsKey(id);
}
