-- What the scripts beside this file come to, as pg_dump tells it. Generated: a test compares it with a real database.

CREATE SCHEMA bitcache;

CREATE TABLE bitcache.archived_batches (
    partition integer NOT NULL,
    first_sequence bigint NOT NULL,
    sequences integer NOT NULL,
    payload_bytes integer NOT NULL,
    chunk_sequences bigint[] NOT NULL,
    chunk_offsets integer[] NOT NULL,
    chunk_crcs integer[] NOT NULL,
    frame bytea NOT NULL,
    CONSTRAINT batches_payload_bytes_check CHECK ((payload_bytes > 0)),
    CONSTRAINT batches_sequences_check CHECK ((sequences > 0))
);
ALTER TABLE ONLY bitcache.archived_batches ALTER COLUMN frame SET STORAGE EXTERNAL;

CREATE TABLE bitcache.batches (
    partition integer NOT NULL,
    first_sequence bigint NOT NULL,
    sequences integer NOT NULL,
    payload_bytes integer NOT NULL,
    chunk_sequences bigint[] NOT NULL,
    chunk_offsets integer[] NOT NULL,
    chunk_crcs integer[] NOT NULL,
    frame bytea NOT NULL,
    CONSTRAINT batches_payload_bytes_check CHECK ((payload_bytes > 0)),
    CONSTRAINT batches_sequences_check CHECK ((sequences > 0))
);
ALTER TABLE ONLY bitcache.batches ALTER COLUMN frame SET STORAGE EXTERNAL;

CREATE VIEW bitcache.all_batches AS
 SELECT batches.partition,
    batches.first_sequence,
    batches.sequences,
    batches.payload_bytes,
    batches.chunk_sequences,
    batches.chunk_offsets,
    batches.chunk_crcs,
    batches.frame
   FROM bitcache.batches
UNION ALL
 SELECT archived_batches.partition,
    archived_batches.first_sequence,
    archived_batches.sequences,
    archived_batches.payload_bytes,
    archived_batches.chunk_sequences,
    archived_batches.chunk_offsets,
    archived_batches.chunk_crcs,
    archived_batches.frame
   FROM bitcache.archived_batches;

CREATE TABLE bitcache.documents (
    name text NOT NULL,
    content bytea NOT NULL
);

CREATE TABLE bitcache.file_blocks (
    file bigint NOT NULL,
    block integer NOT NULL,
    content bytea NOT NULL,
    CONSTRAINT file_blocks_block_check CHECK ((block >= 0))
);
ALTER TABLE ONLY bitcache.file_blocks ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE bitcache.files (
    id bigint NOT NULL,
    folder text NOT NULL,
    name text NOT NULL,
    bytes bigint DEFAULT 0 NOT NULL,
    CONSTRAINT files_bytes_check CHECK ((bytes >= 0))
);

ALTER TABLE bitcache.files ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bitcache.files_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE bitcache.ledger (
    is_only boolean DEFAULT true NOT NULL,
    origin text NOT NULL,
    network smallint NOT NULL,
    partitions integer NOT NULL,
    cluster text NOT NULL,
    CONSTRAINT ledger_is_only_check CHECK (is_only),
    CONSTRAINT ledger_partitions_check CHECK ((partitions > 0))
);

CREATE TABLE bitcache.partitions (
    partition integer NOT NULL,
    writer_epoch bigint NOT NULL,
    next_sequence bigint NOT NULL,
    chain bytea NOT NULL,
    CONSTRAINT partitions_chain_check CHECK ((octet_length(chain) = 32)),
    CONSTRAINT partitions_next_sequence_check CHECK ((next_sequence >= 0)),
    CONSTRAINT partitions_writer_epoch_check CHECK ((writer_epoch > 0))
)
WITH (fillfactor='20');

CREATE TABLE bitcache.runs (
    partition integer NOT NULL,
    first_sequence bigint NOT NULL,
    next_sequence bigint NOT NULL,
    bytes bigint NOT NULL,
    closing_chain bytea NOT NULL,
    is_archived boolean DEFAULT false NOT NULL,
    filter bytea NOT NULL,
    CONSTRAINT runs_bytes_check CHECK ((bytes > 0)),
    CONSTRAINT runs_check CHECK ((next_sequence > first_sequence)),
    CONSTRAINT runs_closing_chain_check CHECK ((octet_length(closing_chain) = 32))
);
ALTER TABLE ONLY bitcache.runs ALTER COLUMN filter SET STORAGE EXTERNAL;

CREATE TABLE bitcache.scripts (
    name text NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE bitcache.settlement (
    is_only boolean DEFAULT true NOT NULL,
    term bigint NOT NULL,
    CONSTRAINT settlement_is_only_check CHECK (is_only),
    CONSTRAINT settlement_term_check CHECK ((term > 0))
);

ALTER TABLE ONLY bitcache.archived_batches
    ADD CONSTRAINT archived_batches_pkey PRIMARY KEY (partition, first_sequence);

ALTER TABLE ONLY bitcache.batches
    ADD CONSTRAINT batches_pkey PRIMARY KEY (partition, first_sequence);

ALTER TABLE ONLY bitcache.documents
    ADD CONSTRAINT documents_pkey PRIMARY KEY (name);

ALTER TABLE ONLY bitcache.file_blocks
    ADD CONSTRAINT file_blocks_pkey PRIMARY KEY (file, block);

ALTER TABLE ONLY bitcache.files
    ADD CONSTRAINT files_folder_name_key UNIQUE (folder, name);

ALTER TABLE ONLY bitcache.files
    ADD CONSTRAINT files_pkey PRIMARY KEY (id);

ALTER TABLE ONLY bitcache.ledger
    ADD CONSTRAINT ledger_pkey PRIMARY KEY (is_only);

ALTER TABLE ONLY bitcache.partitions
    ADD CONSTRAINT partitions_pkey PRIMARY KEY (partition);

ALTER TABLE ONLY bitcache.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (partition, first_sequence);

ALTER TABLE ONLY bitcache.scripts
    ADD CONSTRAINT scripts_pkey PRIMARY KEY (name);

ALTER TABLE ONLY bitcache.settlement
    ADD CONSTRAINT settlement_pkey PRIMARY KEY (is_only);

ALTER TABLE ONLY bitcache.file_blocks
    ADD CONSTRAINT file_blocks_file_fkey FOREIGN KEY (file) REFERENCES bitcache.files(id) ON DELETE CASCADE;
