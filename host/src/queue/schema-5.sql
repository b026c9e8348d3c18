-- Deliveries that are dead, by their events, since version 5: for whoever looks for them, the newest first, however many there are.
CREATE INDEX delivery_dead ON delivery (event) WHERE state = 3;
