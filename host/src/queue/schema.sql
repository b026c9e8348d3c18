-- What the gateway has promised. Ids are numbers that grow with time, so every table is appended to; whatever changes
-- later stands in `delivery`, whose rows are narrow; bodies are written once and never touched again.

CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    provider TEXT NOT NULL,
    UNIQUE (name, provider)
);

CREATE TABLE event_type (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

-- One row a webhook. The key tells repeats; it is not indexed here, since a random key dirties a page of its own with
-- every insert: the writer holds the keys of the last days in memory and reads them back when it starts.
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL,
    type INTEGER NOT NULL,
    received_at_ms INTEGER NOT NULL,
    repeat_key BLOB
);

-- The checksum is CRC-32C: of attributes and payload, or, since version 6, of all of the event.
CREATE TABLE body (
    event INTEGER PRIMARY KEY,
    checksum INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    payload BLOB NOT NULL
);

-- Who has deliveries: `gone_at_ms` is since when its plugin's file has been missing.
CREATE TABLE subscriber (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    gone_at_ms INTEGER
);

CREATE TABLE subscription (
    subscriber INTEGER NOT NULL,
    pattern TEXT NOT NULL,
    PRIMARY KEY (subscriber, pattern)
) WITHOUT ROWID;

-- state: 0 waiting until due, 1 running, 2 done, 3 dead. attempt: how many were begun.
CREATE TABLE delivery (
    subscriber INTEGER NOT NULL,
    event INTEGER NOT NULL,
    state INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    PRIMARY KEY (subscriber, event)
) WITHOUT ROWID;

CREATE INDEX delivery_open ON delivery (state, subscriber, due_ms) WHERE state <> 2;

-- outcome: 0 done, 1 retry, 2 reject, 3 trapped, 4 overran, 5 out of memory, 6 lost, 7 the event's body was damaged.
CREATE TABLE attempt (
    subscriber INTEGER NOT NULL,
    event INTEGER NOT NULL,
    number INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    started_at_ms INTEGER NOT NULL,
    took_us INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    why TEXT,
    PRIMARY KEY (subscriber, event, number)
) WITHOUT ROWID;

-- For whoever opens this file with a tool of their own.
CREATE VIEW readable AS
SELECT event.id, datetime(received_at_ms / 1000, 'unixepoch') AS received, source.name AS source, event_type.name AS type,
       CAST(payload AS TEXT) AS payload
FROM event JOIN source ON source.id = event.source JOIN event_type ON event_type.id = event.type
LEFT JOIN body ON body.event = event.id;
