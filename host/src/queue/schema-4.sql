-- What an attempt took, and the end of what it logged, since version 4.
ALTER TABLE attempt ADD COLUMN cpu_us INTEGER;
ALTER TABLE attempt ADD COLUMN memory_bytes INTEGER;
ALTER TABLE attempt ADD COLUMN log TEXT;

-- The headers that an event came with, what authenticates masked; and whose trace it is part of: 16 bytes of the trace's id, 8 of
-- the span's, 1 of flags.
ALTER TABLE body ADD COLUMN headers TEXT;
ALTER TABLE body ADD COLUMN trace BLOB;

-- Whether nobody wanted it when it came. Both indexes are for whoever looks for events, the newest first.
ALTER TABLE event ADD COLUMN unrouted INTEGER NOT NULL DEFAULT 0;
CREATE TEMP TABLE wanted AS SELECT DISTINCT event FROM delivery;
CREATE UNIQUE INDEX temp.wanted_event ON wanted (event);
UPDATE event SET unrouted = 1 WHERE NOT EXISTS (SELECT 1 FROM temp.wanted w WHERE w.event = event.id);
DROP TABLE temp.wanted;
CREATE INDEX event_kind ON event (source, type);
CREATE INDEX event_unrouted ON event (unrouted) WHERE unrouted = 1;

-- In which line a delivery waits: that of its event's source, or 0 where an operator put it back. And its lane: deliveries of one
-- lane are begun one after another.
ALTER TABLE delivery ADD COLUMN line INTEGER NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN lane INTEGER;
UPDATE delivery SET line = ifnull((SELECT source FROM event WHERE id = delivery.event), 0) WHERE state <> 2;
DROP INDEX delivery_open;
CREATE INDEX delivery_open ON delivery (state, subscriber, line, due_ms) WHERE state <> 2;

-- The deliveries of each lane that are not over. All but one of them are due at the end of time, until it is their turn.
CREATE TABLE lane (
    subscriber INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (subscriber, lane, event)
) WITHOUT ROWID;

-- By which attribute a subscriber's deliveries are told into lanes, and since when an operator has held it.
ALTER TABLE subscriber ADD COLUMN ordered_by TEXT;
ALTER TABLE subscriber ADD COLUMN paused_at_ms INTEGER;

-- Who changed what by hand.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL
);
