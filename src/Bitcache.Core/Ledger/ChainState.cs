// What the ledger knows of the chain. Immutable records: whoever reads one holds a consistent picture.

using Bitcache.Core.Audit;

namespace Bitcache.Core;

/// <param name="Origin">Null for an address that the node chose.</param>
public sealed record DepositAddress(WalletId Wallet, AddressPurpose Purpose, ByteString Script, long Sequence, AddressOrigin? Origin = null);

/// <summary>Whom an output in suspense was given to.</summary>
/// <param name="Sequence">Of the entry that says so.</param>
public sealed record Assignment(WalletId Wallet, long Sequence);

/// <summary>One output that pays one of our addresses.</summary>
/// <param name="Booked">Whether it was credited once: a frozen deposit that was returns, it is not credited again.</param>
/// <param name="FrozenPart">What of it is in the wallet's frozen balance.</param>
/// <param name="OwedPart">What of it was already spent when it was frozen.</param>
/// <param name="Assigned">Whose it is, if it was in suspense.</param>
public sealed record Deposit(
    OutPoint OutPoint, ByteString Script, WalletId Wallet, AddressPurpose Purpose, Sats Amount, DepositState State,
    bool Suspense, bool Booked, BlockHash Block, uint Height, Msat FrozenPart, Msat OwedPart, Assignment? Assigned = null)
{
    /// <summary>Whether it is booked to nobody now.</summary>
    public bool IsInSuspense => Suspense && Booked && State != DepositState.Reversed && Assigned is null;

    /// <summary>Whether a reorganisation can still change it.</summary>
    public bool IsOpen => State is DepositState.Seen or DepositState.Credited or DepositState.Frozen;

    /// <summary>Known while it waits: before it is booked only a coinbase is marked for suspense.</summary>
    public bool IsWaitingCoinbase => Suspense && !Booked;
}

/// <summary>Where a withdrawal stands; while it is in a family, the family's state tells more.</summary>
public enum WithdrawalState : byte
{
    None = 0,
    Queued = 1,
    InFamily = 2,
    Paid = 3,
    SettledInside = 4,
    /// <summary>Taken back by its owner before any family held it.</summary>
    Cancelled = 5,
    /// <summary>Its money is held, and it leaves once a second person has approved it.</summary>
    AwaitingApproval = 8,
    /// <summary>A second person would not have it leave: its money is the wallet's again.</summary>
    Declined = 9,
    /// <summary>Its transaction is final, and what it costs its wallet is not booked yet.</summary>
    Sent = 10,
    /// <summary>Given back: its deadline was over before a transaction that pays it was signed.</summary>
    Expired = 11,
}

public sealed record Withdrawal(
    WithdrawalKey Key, ByteString Script, Sats Amount, UnixTime Requested, long Sequence, WithdrawalState State, long Family, WalletId Payee)
{
    /// <summary>What was held on top of the amount for its share of what mining costs: the most that it is charged.</summary>
    public Sats Fee { get; init; }

    /// <summary>What it is charged of that; known once its transaction is final.</summary>
    public Sats Charge { get; init; }

    public UnixTime? Deadline { get; init; }

    /// <summary>Whether it is under way: it waits, or its transaction is not final.</summary>
    public bool IsOpen => State is WithdrawalState.Queued or WithdrawalState.AwaitingApproval or WithdrawalState.InFamily;

    /// <summary>What is set aside while it waits.</summary>
    public Msat Held => Amount.ToMsat() + Fee.ToMsat();

    /// <summary>While it waits for approval: the key that asked for it, which may not approve it.</summary>
    public ByteString AskedBy { get; init; }
}

public enum FamilyState : byte
{
    None = 0,
    /// <summary>Withdrawals are bound and the fee cap is held; nothing is signed.</summary>
    Opened = 1,
    /// <summary>A transaction is signed and durable, and may be on its way.</summary>
    Signed = 2,
    Confirmed = 3,
    Final = 4,
    Abandoned = 5,
    /// <summary>Signed, or with its signer, and no transaction of it can ever confirm any more.</summary>
    Dead = 6,
}

/// <summary>One signed transaction of a family.</summary>
/// <param name="Transaction">As it was sent, with its witness; empty once its family is archived.</param>
/// <param name="Height">Of the newest block when it was signed; 0 where that was not kept.</param>
public sealed record Attempt(int Number, Txid Txid, Sats Fee, ByteString Transaction, uint Height);

/// <summary>A transaction of a family that was handed to a signer elsewhere.</summary>
/// <param name="Psbt">What the signer is given (BIP-174), as bytes.</param>
public sealed record Preparation(int Number, Txid Txid, Sats Fee, ByteString Psbt);

/// <summary>A signed transaction that spends an attempt's change and pays for both.</summary>
/// <param name="Height">Of the newest block when it was signed.</param>
public sealed record Child(int Number, Txid Txid, Sats Fee, ByteString Transaction, uint Height);

/// <summary>The proof that a transaction is in a block.</summary>
public sealed record Confirmation(
    int Attempt, uint Height, BlockHash Block, ByteString Header, uint Position, IReadOnlyList<Hash256> Siblings);

/// <summary>Transactions of which at most one can confirm, because they share an input.</summary>
/// <param name="Prepared">The next attempt, while it is with its signer.</param>
public sealed record Family(
    long Number, UnixTime Opened, Sats FeeCap, AnchorTerms? Anchor, IReadOnlyList<WithdrawalKey> Withdrawals,
    FamilyState State, IReadOnlyList<Attempt> Attempts, Confirmation? Confirmation, Preparation? Prepared = null)
{
    /// <summary>Those that pay for <see cref="ParentAttempt"/>: they all spend its change, so that one of them confirms at most.</summary>
    public IReadOnlyList<Child> Children { get; init; } = [];

    /// <summary>The attempt whose change the children spend; 0 if there are none.</summary>
    public int ParentAttempt { get; init; }

    /// <summary>The child that was final with its attempt; 0 if none was.</summary>
    public int FinalChild { get; init; }

    /// <summary>What killed it; of a confirmed anchor, by what a stranger took its output.</summary>
    public FinalSpend? Spend { get; init; }

    /// <summary>The entry since which its transactions are in the journal alone, and their bytes are none here; 0 while they are here.</summary>
    public long Archived { get; init; }

    /// <summary>Once they are: the scripts of the hot wallet's own that they paid.</summary>
    public IReadOnlyList<ByteString> Change { get; init; } = [];

    public bool IsLive => State is FamilyState.Opened or FamilyState.Signed or FamilyState.Confirmed;

    /// <summary>Something of it was signed, or might have been elsewhere, and nothing will become of it any more.</summary>
    public bool HasEnded => State is FamilyState.Final or FamilyState.Dead;

    /// <summary>It pays nobody and anchors nothing: it makes one coin of the hot wallet's many.</summary>
    public bool IsConsolidation => Anchor is null && Withdrawals.Count == 0;

    /// <summary>Every transaction of it that was ever signed.</summary>
    public IEnumerable<(Txid Txid, ByteString Transaction)> Transactions =>
        Attempts.Select(a => (a.Txid, a.Transaction)).Concat(Children.Select(c => (c.Txid, c.Transaction)));

    /// <summary>The same, and what is with its signer, who may send it.</summary>
    public IEnumerable<Txid> Txids => Transactions.Select(t => t.Txid).Concat(Prepared is null ? [] : [Prepared.Txid]);

    /// <summary>What mining has cost, once it is final.</summary>
    public Sats FeePaid => State == FamilyState.Final
        ? Attempts[Confirmation!.Attempt - 1].Fee + (FinalChild > 0 ? Children[FinalChild - 1].Fee : Sats.Zero)
        : Sats.Zero;

    /// <summary>Whether it carries an anchor, or did until that was in a block.</summary>
    public bool IsAnchor => Anchor is not null && State is not (FamilyState.Abandoned or FamilyState.Dead);

    /// <summary>Whether its anchor is still to come into a block.</summary>
    public bool IsAnchorUnconfirmed => Anchor is not null && State is FamilyState.Opened or FamilyState.Signed;
}

/// <summary>A closed epoch.</summary>
/// <param name="Entries">Of this partition, through the epoch's cut. With one partition the log has this size there.</param>
public sealed record Epoch(long Number, UnixTime Closed, long Entries)
{
    /// <summary>What was stated about it; null while nothing was, and for ever where it could not be.</summary>
    public EpochStatement? Statement { get; init; }

    /// <summary>The sequence of the entry that states it.</summary>
    public long Stated { get; init; }
}

public sealed record ChainCursor(uint Height, BlockHash Block);
