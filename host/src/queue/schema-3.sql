-- Who is registered, since version 3: webhooks and the keys of their API, as `webhooks` and `keys` write them.
CREATE TABLE record (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;

-- How a webhook's deliveries and their attempts went in all, whatever is deleted of them. `failing_since_ms` is when the first of those
-- attempts failed after which none went well.
CREATE TABLE track (
    subscriber INTEGER PRIMARY KEY,
    deliveries INTEGER NOT NULL,
    done INTEGER NOT NULL,
    dead INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    took_us INTEGER NOT NULL,
    last_ms INTEGER,
    last_done_ms INTEGER,
    last_failed_ms INTEGER,
    failing_since_ms INTEGER
);

-- How many of its attempts a delivery had before it was put back the last time.
ALTER TABLE delivery ADD COLUMN earlier INTEGER NOT NULL DEFAULT 0;

-- What a receiver answered: its status, and the beginning of the body.
ALTER TABLE attempt ADD COLUMN status INTEGER;
ALTER TABLE attempt ADD COLUMN answer BLOB;
