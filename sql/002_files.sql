-- Files that a partition keeps beside its journal where the settings say so: its snapshots and their manifest. They are
-- derived from the journal, and made again when they are lost.
CREATE TABLE bitcache.files (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    folder text NOT NULL,
    name text NOT NULL,
    bytes bigint NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    UNIQUE (folder, name)
);

-- A file in blocks of 1 MiB. What is not there is zeros.
CREATE TABLE bitcache.file_blocks (
    file bigint NOT NULL REFERENCES bitcache.files ON DELETE CASCADE,
    block integer NOT NULL CHECK (block >= 0),
    content bytea NOT NULL,
    PRIMARY KEY (file, block)
);
ALTER TABLE bitcache.file_blocks ALTER COLUMN content SET STORAGE EXTERNAL;
