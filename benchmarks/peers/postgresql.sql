-- The same ledger in PostgreSQL: wallets with balances that never fall below zero, and one row a transfer under the
-- client's id. The sum of all balances never changes. Wallets are numbered, which is smaller and quicker than the
-- 16 random bytes of our own.

CREATE TABLE wallets (
    id bigint PRIMARY KEY,
    balance bigint NOT NULL CHECK (balance >= 0)
) WITH (fillfactor = 50); -- room for the new version of a row on the same page: no index is touched (HOT)

CREATE TABLE transfers (
    id uuid PRIMARY KEY, -- of version 7: they arrive nearly in order
    payer bigint NOT NULL,
    payee bigint NOT NULL CHECK (payee <> payer),
    amount bigint NOT NULL CHECK (amount > 0),
    outcome smallint NOT NULL, -- 0 accepted, 1 insufficient funds
    payer_balance bigint NOT NULL, -- after the transfer
    payee_balance bigint NOT NULL
);

-- One transfer. Answers 0 accepted, 1 insufficient funds, 2 no such wallet, 3 the id stands for another transfer.
-- A known id gets its first answer again.
CREATE FUNCTION transfer(p_id uuid, p_payer bigint, p_payee bigint, p_amount bigint) RETURNS smallint
LANGUAGE plpgsql AS $$
DECLARE
    known transfers;
    payer_after bigint;
    payee_after bigint;
    locked int;
BEGIN
    -- Always in the order of their numbers, so that no two transfers wait for each other.
    PERFORM FROM wallets WHERE id IN (p_payer, p_payee) ORDER BY id FOR NO KEY UPDATE;
    GET DIAGNOSTICS locked = ROW_COUNT;
    IF locked <> 2 THEN
        RETURN 2;
    END IF;

    -- Only now: another client may have sent the same id while we waited.
    SELECT * INTO known FROM transfers WHERE id = p_id;
    IF FOUND THEN
        RETURN CASE WHEN (known.payer, known.payee, known.amount) = (p_payer, p_payee, p_amount) THEN known.outcome ELSE 3 END;
    END IF;

    UPDATE wallets SET balance = balance - p_amount WHERE id = p_payer AND balance >= p_amount
        RETURNING balance INTO payer_after;
    IF NOT FOUND THEN
        INSERT INTO transfers
            SELECT p_id, p_payer, p_payee, p_amount, 1, payer.balance, payee.balance
            FROM wallets payer, wallets payee WHERE payer.id = p_payer AND payee.id = p_payee;
        RETURN 1;
    END IF;
    UPDATE wallets SET balance = balance + p_amount WHERE id = p_payee RETURNING balance INTO payee_after;
    INSERT INTO transfers VALUES (p_id, p_payer, p_payee, p_amount, 0, payer_after, payee_after);
    RETURN 0;
END $$;

-- Many transfers in one statement, with the same answers and the same rows as one after the other.
--
-- Where no payer's transfers of the batch together exceed what it has before, all are accepted in whatever order:
-- the balances move by their sums, and a window gives the balances after each transfer. If a payer might run short,
-- a wallet is missing or an id is known, that is undone and the transfers are made one by one.
CREATE FUNCTION transfer_batch(p_ids uuid[], p_payers bigint[], p_payees bigint[], p_amounts bigint[]) RETURNS smallint[]
LANGUAGE plpgsql
SET plan_cache_mode = force_custom_plan -- planned for arrays of this length, not for ten elements
SET enable_nestloop = off -- the planner expects 200 different wallets in a batch; there are 15,000
SET enable_mergejoin = off
AS $$
DECLARE
    outcomes smallint[] := '{}';
    made int;
BEGIN
    -- Any two batches have wallets in common, so they take turns: one lock instead of 15,000. A single transfer that
    -- crosses a batch may end as a deadlock, which PostgreSQL reports and its client tries again.
    PERFORM pg_advisory_xact_lock(1);
    BEGIN
        WITH batch AS MATERIALIZED (
            SELECT * FROM unnest(p_ids, p_payers, p_payees, p_amounts) WITH ORDINALITY AS t(id, payer, payee, amount, place)
        ), moves AS MATERIALIZED (
            SELECT place, payer AS wallet, -amount AS delta FROM batch
            UNION ALL SELECT place, payee, amount FROM batch
        ), updated AS (
            UPDATE wallets SET balance = balance + net
            FROM (
                SELECT wallet, sum(delta)::bigint AS net, coalesce(-sum(delta) FILTER (WHERE delta < 0), 0) AS debits
                FROM moves GROUP BY wallet
            ) AS sums
            WHERE id = wallet AND balance >= debits
            RETURNING wallet, balance - net AS before
        ), running AS (
            SELECT place, delta < 0 AS pays, (before + sum(delta) OVER (PARTITION BY wallet ORDER BY place ROWS UNBOUNDED PRECEDING))::bigint AS after
            FROM moves JOIN updated USING (wallet)
        ), balances AS (
            SELECT place, max(after) FILTER (WHERE pays) AS payer_balance, max(after) FILTER (WHERE NOT pays) AS payee_balance
            FROM running GROUP BY place
        )
        INSERT INTO transfers
            SELECT id, payer, payee, amount, 0, payer_balance, payee_balance FROM batch JOIN balances USING (place);
        GET DIAGNOSTICS made = ROW_COUNT;
        IF made <> cardinality(p_ids) THEN
            RAISE EXCEPTION USING ERRCODE = 'no_data_found';
        END IF;
        RETURN array_fill(0::smallint, ARRAY[made]);
    EXCEPTION WHEN unique_violation OR check_violation OR not_null_violation OR no_data_found THEN
        NULL; -- what was done since the inner BEGIN is undone
    END;

    FOR place IN 1 .. cardinality(p_ids) LOOP
        outcomes[place] := transfer(p_ids[place], p_payers[place], p_payees[place], p_amounts[place]);
    END LOOP;
    RETURN outcomes;
END $$;
