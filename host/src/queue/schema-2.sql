-- What plugins remember, since version 2. A key is there until `expires_ms`, if it has one.
CREATE TABLE state (
    subscriber INTEGER NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    expires_ms INTEGER,
    PRIMARY KEY (subscriber, key)
) WITHOUT ROWID;

CREATE INDEX state_expiring ON state (expires_ms) WHERE expires_ms IS NOT NULL;

-- How much each keeps, so that nobody has to count: keys and values together, in bytes, and keys.
ALTER TABLE subscriber ADD COLUMN state_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE subscriber ADD COLUMN state_keys INTEGER NOT NULL DEFAULT 0;
