-- What Orleans keeps of the cluster: its silos, reminders, and the state of grains. Orleans' ADO.NET providers send the
-- statements of the table OrleansQuery and nothing else; fixed are the keys there, the names of the parameters, the names
-- and types of the columns that come back, and for statements that change something one row with a number, 0 for "nothing
-- was changed". Tables and statements are our own. No money is here: the journal is in the schema bitcache.
CREATE SCHEMA orleans;

-- The statements by key. The providers find it by this name on the search path.
CREATE TABLE orleans.OrleansQuery (
    QueryKey text PRIMARY KEY,
    QueryText text NOT NULL
);

-- Whose database this is: a silo that is set to another cluster refuses to start.
CREATE TABLE orleans.cluster (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    name text NOT NULL,
    partitions integer NOT NULL CHECK (partitions > 0)
);

-- Membership: each change of a silo's row raises the version in the same statement, so that of two changes that
-- were made from one view the second finds another version and changes nothing.
CREATE TABLE orleans.membership (
    cluster text PRIMARY KEY,
    version integer NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE orleans.silos (
    cluster text NOT NULL REFERENCES orleans.membership,
    address text NOT NULL,
    port integer NOT NULL,
    generation integer NOT NULL,
    name text NOT NULL,
    host text NOT NULL,
    status integer NOT NULL,
    gateway_port integer NOT NULL,
    suspicions text,
    started_at timestamptz NOT NULL,
    alive_at timestamptz NOT NULL,
    PRIMARY KEY (cluster, address, port, generation)
);

INSERT INTO orleans.OrleansQuery VALUES
('InsertMembershipVersionKey',
$$
WITH made AS (INSERT INTO orleans.membership (cluster) VALUES (@DeploymentId) ON CONFLICT DO NOTHING RETURNING 1)
SELECT count(*)::integer FROM made
$$),
('InsertMembershipKey',
$$
WITH head AS (
    UPDATE orleans.membership SET version = version + 1, changed_at = now()
    WHERE cluster = @DeploymentId AND version = @Version AND NOT EXISTS (
        SELECT FROM orleans.silos s
        WHERE s.cluster = @DeploymentId AND s.address = @Address AND s.port = @Port AND s.generation = @Generation)
    RETURNING cluster
), made AS (
    INSERT INTO orleans.silos (cluster, address, port, generation, name, host, status, gateway_port, started_at, alive_at)
    SELECT cluster, @Address, @Port, @Generation, @SiloName, @HostName, @Status, @ProxyPort, @StartTime, @IAmAliveTime FROM head
    RETURNING 1
)
SELECT count(*)::integer FROM made
$$),
('UpdateMembershipKey',
$$
WITH head AS (
    UPDATE orleans.membership SET version = version + 1, changed_at = now()
    WHERE cluster = @DeploymentId AND version = @Version AND EXISTS (
        SELECT FROM orleans.silos s
        WHERE s.cluster = @DeploymentId AND s.address = @Address AND s.port = @Port AND s.generation = @Generation)
    RETURNING cluster
), changed AS (
    UPDATE orleans.silos s SET status = @Status, suspicions = @SuspectTimes, alive_at = @IAmAliveTime
    FROM head
    WHERE s.cluster = head.cluster AND s.address = @Address AND s.port = @Port AND s.generation = @Generation
    RETURNING 1
)
SELECT count(*)::integer FROM changed
$$),
('UpdateIAmAlivetimeKey',
$$
UPDATE orleans.silos SET alive_at = @IAmAliveTime
WHERE cluster = @DeploymentId AND address = @Address AND port = @Port AND generation = @Generation
$$),
-- A row with nothing but the version where there is no such silo.
('MembershipReadRowKey',
$$
SELECT s.address AS Address, s.port AS Port, s.generation AS Generation, s.name AS SiloName, s.host AS HostName, s.status AS Status,
    s.gateway_port AS ProxyPort, s.suspicions AS SuspectTimes, s.started_at AS StartTime, s.alive_at AS IAmAliveTime, m.version AS Version
FROM orleans.membership m
LEFT JOIN orleans.silos s ON s.cluster = m.cluster AND s.address = @Address AND s.port = @Port AND s.generation = @Generation
WHERE m.cluster = @DeploymentId
$$),
('MembershipReadAllKey',
$$
SELECT s.address AS Address, s.port AS Port, s.generation AS Generation, s.name AS SiloName, s.host AS HostName, s.status AS Status,
    s.gateway_port AS ProxyPort, s.suspicions AS SuspectTimes, s.started_at AS StartTime, s.alive_at AS IAmAliveTime, m.version AS Version
FROM orleans.membership m LEFT JOIN orleans.silos s ON s.cluster = m.cluster
WHERE m.cluster = @DeploymentId
$$),
('GatewaysQueryKey',
$$
SELECT address AS Address, gateway_port AS ProxyPort, generation AS Generation FROM orleans.silos
WHERE cluster = @DeploymentId AND status = @Status AND gateway_port > 0
$$),
('DeleteMembershipTableEntriesKey',
$$
WITH gone AS (DELETE FROM orleans.silos WHERE cluster = @DeploymentId)
DELETE FROM orleans.membership WHERE cluster = @DeploymentId
$$),
-- Status 3 is Active.
('CleanupDefunctSiloEntriesKey',
$$
DELETE FROM orleans.silos WHERE cluster = @DeploymentId AND alive_at < @IAmAliveTime AND status <> 3
$$);

CREATE TABLE orleans.reminders (
    service text NOT NULL,
    grain text NOT NULL,
    name text NOT NULL,
    starts_at timestamptz NOT NULL,
    period_milliseconds bigint NOT NULL,
    hash integer NOT NULL,
    version integer NOT NULL DEFAULT 0,
    PRIMARY KEY (service, grain, name)
);

INSERT INTO orleans.OrleansQuery VALUES
('UpsertReminderRowKey',
$$
INSERT INTO orleans.reminders AS r (service, grain, name, starts_at, period_milliseconds, hash)
VALUES (@ServiceId, @GrainId, @ReminderName, @StartTime, @Period, @GrainHash)
ON CONFLICT (service, grain, name) DO UPDATE SET
    starts_at = excluded.starts_at, period_milliseconds = excluded.period_milliseconds, hash = excluded.hash, version = r.version + 1
RETURNING r.version AS Version
$$),
('ReadReminderRowsKey',
$$
SELECT grain AS GrainId, name AS ReminderName, starts_at AS StartTime, period_milliseconds AS Period, version AS Version
FROM orleans.reminders WHERE service = @ServiceId AND grain = @GrainId
$$),
('ReadReminderRowKey',
$$
SELECT grain AS GrainId, name AS ReminderName, starts_at AS StartTime, period_milliseconds AS Period, version AS Version
FROM orleans.reminders WHERE service = @ServiceId AND grain = @GrainId AND name = @ReminderName
$$),
-- Behind the beginning of the range, up to its end.
('ReadRangeRows1Key',
$$
SELECT grain AS GrainId, name AS ReminderName, starts_at AS StartTime, period_milliseconds AS Period, version AS Version
FROM orleans.reminders WHERE service = @ServiceId AND hash > @BeginHash AND hash <= @EndHash
$$),
-- A range that goes over the highest hash and on at the lowest.
('ReadRangeRows2Key',
$$
SELECT grain AS GrainId, name AS ReminderName, starts_at AS StartTime, period_milliseconds AS Period, version AS Version
FROM orleans.reminders WHERE service = @ServiceId AND (hash > @BeginHash OR hash <= @EndHash)
$$),
('DeleteReminderRowKey',
$$
WITH gone AS (
    DELETE FROM orleans.reminders WHERE service = @ServiceId AND grain = @GrainId AND name = @ReminderName AND version = @Version RETURNING 1
)
SELECT count(*)::integer FROM gone
$$),
('DeleteReminderRowsKey', 'DELETE FROM orleans.reminders WHERE service = @ServiceId');

-- The state of grains. Its key has no grain type: each state has a name of its own (GrainStates.cs).
CREATE TABLE orleans.grain_state (
    service text NOT NULL,
    state text NOT NULL,
    n0 bigint NOT NULL,
    n1 bigint NOT NULL,
    extension text NOT NULL, -- '' for none
    payload bytea,
    version integer NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (service, state, n0, n1, extension)
);

-- A write without a version is the first one and makes the row; any other changes the version that it has read. The
-- same version again, or none, tells that another was faster. The hashes that come along are not needed: the key is.
INSERT INTO orleans.OrleansQuery VALUES
('WriteToStorageKey',
$$
WITH changed AS (
    UPDATE orleans.grain_state SET payload = @PayloadBinary::bytea, version = version + 1, changed_at = now()
    WHERE service = @ServiceId AND state = @GrainTypeString AND n0 = @GrainIdN0 AND n1 = @GrainIdN1
        AND extension = coalesce(@GrainIdExtensionString::text, '') AND version = @GrainStateVersion::integer
    RETURNING version
), made AS (
    INSERT INTO orleans.grain_state (service, state, n0, n1, extension, payload, version)
    SELECT @ServiceId, @GrainTypeString, @GrainIdN0, @GrainIdN1, coalesce(@GrainIdExtensionString::text, ''), @PayloadBinary::bytea, 1
    WHERE @GrainStateVersion::integer IS NULL
    ON CONFLICT DO NOTHING
    RETURNING version
)
SELECT coalesce((SELECT version FROM changed), (SELECT version FROM made), @GrainStateVersion::integer) AS NewGrainStateVersion
$$),
('ReadFromStorageKey',
$$
SELECT payload AS PayloadBinary, version AS Version FROM orleans.grain_state
WHERE service = @ServiceId AND state = @GrainTypeString AND n0 = @GrainIdN0 AND n1 = @GrainIdN1
    AND extension = coalesce(@GrainIdExtensionString::text, '')
$$),
('ClearStorageKey',
$$
UPDATE orleans.grain_state SET payload = NULL, version = version + 1, changed_at = now()
WHERE service = @ServiceId AND state = @GrainTypeString AND n0 = @GrainIdN0 AND n1 = @GrainIdN1
    AND extension = coalesce(@GrainIdExtensionString::text, '') AND version = @GrainStateVersion::integer
RETURNING version AS NewGrainStateVersion
$$),
('DeleteStorageKey',
$$
DELETE FROM orleans.grain_state
WHERE service = @ServiceId AND state = @GrainTypeString AND n0 = @GrainIdN0 AND n1 = @GrainIdN1
    AND extension = coalesce(@GrainIdExtensionString::text, '') AND version = @GrainStateVersion::integer
RETURNING version + 1 AS NewGrainStateVersion
$$);
