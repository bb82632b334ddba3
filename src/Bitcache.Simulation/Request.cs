using Bitcache.Core;

namespace Bitcache.Simulation;

/// <summary>What clients send under one id, however often, and whether some of it may yet take effect.</summary>
internal sealed class Request(ClientCommand terms, uint tenant)
{
    private readonly List<ClientCommand> _terms = [terms];

    public ClientCommand Terms => _terms[0];
    public uint Tenant => tenant;

    /// <summary>How many attempts are on their way.</summary>
    public int Outstanding { get; private set; }

    /// <summary>Whether an attempt ended without an answer since the last recovery.</summary>
    public bool IsUnknown { get; private set; }

    public bool MayTakeEffect => Outstanding > 0 || IsUnknown;

    /// <summary>What has one effect. Cancelling and deciding go by the id of the withdrawal that they are about.</summary>
    public static (WalletId Owner, OperationId Id, Type? About) IdentityOf(ClientCommand command) =>
        (command.Owner, command.Id, command is CancelWithdrawal or DecideWithdrawal ? command.GetType() : null);

    public void Send(ClientCommand command)
    {
        Outstanding++;
        if (!_terms.Contains(command)) _terms.Add(command);
    }

    public void End(bool isUnknown)
    {
        Outstanding--;
        IsUnknown |= isUnknown;
    }

    /// <summary>After a recovery nothing is on its way: what is not in the journal never happens by itself.</summary>
    public void Recovered() => (Outstanding, IsUnknown) = (0, false);

    /// <summary>Whether one of the attempts asked for this.</summary>
    public bool Asked(ClientCommand command) => _terms.Exists(t => t.GetType() == command.GetType() && t.HasSameTerms(command));
}
