-- The journal of a ledger: one row for each batch, and one for each partition that says who may write the next.
-- Everything is written by bitcache; nothing here is to be changed by hand. The bytes of a frame are those of a file
-- journal (FrameHeader.cs); what moves between the two (bitcache migrate) are its records.

-- Whose database this is. Another ledger, or another cluster, that is pointed at it by mistake is refused.
CREATE TABLE bitcache.ledger (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    origin text NOT NULL,
    network smallint NOT NULL,
    partitions integer NOT NULL CHECK (partitions > 0),
    cluster text NOT NULL -- '' for a single server
);

-- The head of each partition's journal. Whoever opens the journal raises the epoch, and from that commit on the one
-- before appends nothing any more, however long it sleeps.
CREATE TABLE bitcache.partitions (
    partition integer PRIMARY KEY,
    writer_epoch bigint NOT NULL CHECK (writer_epoch > 0),
    next_sequence bigint NOT NULL CHECK (next_sequence >= 0),
    chain bytea NOT NULL CHECK (octet_length(chain) = 32)
) WITH (fillfactor = 20); -- the head changes with each batch: its versions stay on one page

-- Where records stand in a frame: about every 64 KiB of it the sequence and the offset of a record, and the CRC-32C of
-- the bytes up to the next. One look-up reads one such chunk.
CREATE TABLE bitcache.batches (
    partition integer NOT NULL,
    first_sequence bigint NOT NULL,
    sequences integer NOT NULL CHECK (sequences > 0),
    payload_bytes integer NOT NULL CHECK (payload_bytes > 0),
    chunk_sequences bigint[] NOT NULL,
    chunk_offsets integer[] NOT NULL,
    chunk_crcs integer[] NOT NULL,
    frame bytea NOT NULL,
    PRIMARY KEY (partition, first_sequence)
);
-- Not compressed, so that a part of a frame is read without the rest of it: ids, hashes and salts do not shrink.
ALTER TABLE bitcache.batches ALTER COLUMN frame SET STORAGE EXTERNAL;

-- Runs of old batches that were moved out of the way, on a slower disk where the settings name a tablespace.
CREATE TABLE bitcache.archived_batches (
    LIKE bitcache.batches INCLUDING CONSTRAINTS INCLUDING STORAGE,
    PRIMARY KEY (partition, first_sequence)
);

CREATE VIEW bitcache.all_batches AS
    SELECT * FROM bitcache.batches UNION ALL SELECT * FROM bitcache.archived_batches;

-- Runs of batches that are large enough to have an id filter (IdFilter.cs), as a segment of a file journal has one.
CREATE TABLE bitcache.runs (
    partition integer NOT NULL,
    first_sequence bigint NOT NULL,
    next_sequence bigint NOT NULL CHECK (next_sequence > first_sequence),
    bytes bigint NOT NULL CHECK (bytes > 0),
    closing_chain bytea NOT NULL CHECK (octet_length(closing_chain) = 32), -- of the run's last frame
    is_archived boolean NOT NULL DEFAULT false,
    filter bytea NOT NULL,
    PRIMARY KEY (partition, first_sequence)
);
ALTER TABLE bitcache.runs ALTER COLUMN filter SET STORAGE EXTERNAL;
