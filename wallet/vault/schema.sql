-- The wallet's tables, inside the encrypted file. Times are RFC 3339 in UTC.

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Holder keys: one for each credential, made before anything is sent to an issuer.
CREATE TABLE keys (
    id         TEXT PRIMARY KEY,      -- the did:key of its public half
    private    BLOB NOT NULL,
    created    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE applications (
    id         TEXT PRIMARY KEY,
    key_id     TEXT NOT NULL REFERENCES keys (id),
    issuer_did TEXT NOT NULL,
    scenario   TEXT NOT NULL,
    sent       TEXT NOT NULL,
    remote_id  TEXT,
    state      TEXT NOT NULL,         -- sending | offered | waiting | lapsed | refused | issued
    reason     TEXT,
    offer      TEXT,
    code_digest BLOB,                 -- as in issuances: which offer answers it
    expires    TEXT                   -- of the offer, as the issuer said
) STRICT, WITHOUT ROWID;

-- One row an offer that was begun; it lets an interrupted issuance go on without a second code.
CREATE TABLE issuances (
    code_digest   BLOB PRIMARY KEY,   -- SHA-256 over issuer and pre-authorized code
    issuer_did    TEXT NOT NULL,
    key_id        TEXT NOT NULL REFERENCES keys (id),
    begun         TEXT NOT NULL,
    access_token  TEXT,
    token_expires TEXT,
    credential_id TEXT                -- set when it is complete
) STRICT, WITHOUT ROWID;

CREATE TABLE credentials (
    id            TEXT PRIMARY KEY,
    scenario      TEXT NOT NULL,
    key_id        TEXT NOT NULL REFERENCES keys (id),
    document      TEXT NOT NULL,
    received      TEXT NOT NULL,
    status        TEXT NOT NULL,      -- valid | suspended | revoked | unknown
    status_as_of  TEXT,
    anchor_origin TEXT NOT NULL,
    anchor_index  INTEGER,
    anchor_proof  BLOB
) STRICT, WITHOUT ROWID;

-- Names of claims, never their values.
CREATE TABLE history (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    time          TEXT NOT NULL,
    kind          TEXT NOT NULL,
    outcome       TEXT NOT NULL,
    party_did     TEXT,
    party_name    TEXT,               -- JSON, a text for each language
    scenario      TEXT,
    purpose       TEXT,               -- JSON, a text for each language
    legal_basis   TEXT,               -- JSON, a text for each language
    entitlement   TEXT,
    claims        TEXT NOT NULL,      -- JSON, a list of pointers
    error         TEXT,
    error_text    TEXT,               -- JSON, a text for each language
    presentation  TEXT,               -- digest, multibase
    nonce_digest  BLOB UNIQUE
) STRICT;

CREATE TABLE receipts (
    history_id    INTEGER PRIMARY KEY REFERENCES history (id) ON DELETE CASCADE,
    token         TEXT NOT NULL,
    received      TEXT NOT NULL,
    commitment    BLOB NOT NULL,
    origin        TEXT NOT NULL,
    promise_by    TEXT NOT NULL,
    state         TEXT NOT NULL,      -- pending | recorded | missing | unknown
    chain_index   INTEGER,
    checked       TEXT,
    evidence      TEXT                -- JSON: what the chain answered, with its checkpoint
) STRICT;
