-- The order in which queued images are started and listed, so that neither looks at the whole queue for a part of it.
CREATE INDEX queue_by_age ON queue (queued_at, image_id);
-- Those that are under way: PREFETCH_CONCURRENCY at most, among any number that wait.
CREATE INDEX queue_started ON queue (started_at) WHERE started_at IS NOT NULL;
-- What is removed, or filled, the oldest first: a hundred at a time, of all that an emptied cache leaves to be removed.
CREATE INDEX generations_by_state ON generations (state, since);
