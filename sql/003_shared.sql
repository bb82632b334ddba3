-- Which term of settlement the newest owner began, of the silos of a cluster that share this database. What settlement keeps in
-- files beside the journal (bitcache.files, folder /settlement) is changed under this term alone.
CREATE TABLE bitcache.settlement (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    term bigint NOT NULL CHECK (term > 0)
);

-- Small files that all silos share and that are replaced as a whole, such as the list of API keys (its hashes alone).
CREATE TABLE bitcache.documents (
    name text PRIMARY KEY,
    content bytea NOT NULL
);
