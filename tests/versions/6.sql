-- What a hookgate wrote whose file was of version 6: three events that `worker` wanted, of which one is done, one dead and one waits; and one that nobody wanted.
-- Never edited: it stands for files that are out there.
CREATE TABLE attempt (
    subscriber INTEGER NOT NULL,
    event INTEGER NOT NULL,
    number INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    started_at_ms INTEGER NOT NULL,
    took_us INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    why TEXT, status INTEGER, answer BLOB, cpu_us INTEGER, memory_bytes INTEGER, log TEXT,
    PRIMARY KEY (subscriber, event, number)
) WITHOUT ROWID;
INSERT INTO "attempt" VALUES(1,1868562433048576077,1,1,1782000001100,701,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "attempt" VALUES(1,1868562434097152154,1,1,1782000002100,702,1,'busy',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "attempt" VALUES(1,1868562434097152154,2,1,1782000002200,702,2,'no',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "attempt" VALUES(1,1868562435145728231,1,1,1782000003100,703,3,'unreachable',NULL,NULL,NULL,NULL,NULL);
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL
);
INSERT INTO "audit" VALUES(1,1782000000000,'operator','{"action":"pause"}');
CREATE TABLE body (
    event INTEGER PRIMARY KEY,
    checksum INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    payload BLOB NOT NULL
, headers TEXT, trace BLOB);
INSERT INTO "body" VALUES(1868562433048576077,7701282652,'[["n","1"]]',X'7B226E7468223A312C2274657874223A226772C3BCC39F65222C2276657273696F6E223A367D',NULL,NULL);
INSERT INTO "body" VALUES(1868562434097152154,4539226919,'[["n","2"]]',X'7B226E7468223A322C2274657874223A226772C3BCC39F65222C2276657273696F6E223A367D',NULL,NULL);
INSERT INTO "body" VALUES(1868562435145728231,7694559980,'[["n","3"]]',X'7B226E7468223A332C2274657874223A226772C3BCC39F65222C2276657273696F6E223A367D',NULL,NULL);
INSERT INTO "body" VALUES(1868562436194304308,5897907913,'[["n","4"]]',X'7B226E7468223A342C2274657874223A226772C3BCC39F65222C2276657273696F6E223A367D',NULL,NULL);
CREATE TABLE delivery (
    subscriber INTEGER NOT NULL,
    event INTEGER NOT NULL,
    state INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    due_ms INTEGER NOT NULL, earlier INTEGER NOT NULL DEFAULT 0, line INTEGER NOT NULL DEFAULT 0, lane INTEGER,
    PRIMARY KEY (subscriber, event)
) WITHOUT ROWID;
INSERT INTO "delivery" VALUES(1,1868562433048576077,2,1,1782000001100,0,0,NULL);
INSERT INTO "delivery" VALUES(1,1868562434097152154,3,2,1782000005000,0,1,NULL);
INSERT INTO "delivery" VALUES(1,1868562435145728231,0,1,1782000009000,0,1,NULL);
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL,
    type INTEGER NOT NULL,
    received_at_ms INTEGER NOT NULL,
    repeat_key BLOB
, unrouted INTEGER NOT NULL DEFAULT 0);
INSERT INTO "event" VALUES(1868562433048576077,1,1,1782000001000,X'0102030405060708090A0B0C0D0E0F10',0);
INSERT INTO "event" VALUES(1868562434097152154,1,1,1782000002000,X'02030405060708090A0B0C0D0E0F1011',0);
INSERT INTO "event" VALUES(1868562435145728231,1,1,1782000003000,X'030405060708090A0B0C0D0E0F101112',0);
INSERT INTO "event" VALUES(1868562436194304308,1,2,1782000004000,NULL,1);
CREATE TABLE event_type (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
INSERT INTO "event_type" VALUES(1,'push');
INSERT INTO "event_type" VALUES(2,'star.created');
CREATE TABLE lane (
    subscriber INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (subscriber, lane, event)
) WITHOUT ROWID;
CREATE TABLE record (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    provider TEXT NOT NULL,
    UNIQUE (name, provider)
);
INSERT INTO "source" VALUES(1,'github','github');
CREATE TABLE state (
    subscriber INTEGER NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    expires_ms INTEGER,
    PRIMARY KEY (subscriber, key)
) WITHOUT ROWID;
INSERT INTO "state" VALUES(1,'seen',X'33',NULL);
CREATE TABLE subscriber (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    gone_at_ms INTEGER
, state_bytes INTEGER NOT NULL DEFAULT 0, state_keys INTEGER NOT NULL DEFAULT 0, ordered_by TEXT, paused_at_ms INTEGER);
INSERT INTO "subscriber" VALUES(1,'worker',NULL,5,1,NULL,NULL);
CREATE TABLE subscription (
    subscriber INTEGER NOT NULL,
    pattern TEXT NOT NULL,
    PRIMARY KEY (subscriber, pattern)
) WITHOUT ROWID;
INSERT INTO "subscription" VALUES(1,'push');
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
CREATE VIEW readable AS
SELECT event.id, datetime(received_at_ms / 1000, 'unixepoch') AS received, source.name AS source, event_type.name AS type,
       CAST(payload AS TEXT) AS payload
FROM event JOIN source ON source.id = event.source JOIN event_type ON event_type.id = event.type
LEFT JOIN body ON body.event = event.id;
CREATE INDEX state_expiring ON state (expires_ms) WHERE expires_ms IS NOT NULL;
CREATE INDEX event_kind ON event (source, type);
CREATE INDEX event_unrouted ON event (unrouted) WHERE unrouted = 1;
CREATE INDEX delivery_open ON delivery (state, subscriber, line, due_ms) WHERE state <> 2;
CREATE INDEX delivery_dead ON delivery (event) WHERE state = 3;
PRAGMA user_version = 6;
