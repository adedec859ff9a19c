-- The index of what R2 holds, for lists, room, order of use and the queue. R2 is the truth: no download needs this
-- database, and clean builds `images` anew from R2.

CREATE TABLE images (
  image_id      TEXT PRIMARY KEY,
  name          TEXT,                        -- as the origin's record last said; null: nobody knows (the index was rebuilt)
  owner         TEXT,                        -- its project, as the origin's record last said; null: nobody knows
  pinned        INTEGER NOT NULL DEFAULT 0,  -- 1: PIN_IMAGES named it when its record was last seen; 2: an operator has
  attempt       TEXT NOT NULL,               -- as in the metadata of the object in R2
  size          INTEGER NOT NULL,            -- bytes
  -- Times in ms since the epoch.
  committed_at  INTEGER NOT NULL,
  hits          INTEGER NOT NULL DEFAULT 0,
  last_accessed INTEGER NOT NULL,            -- the commit counts as the first
  in_use_until  INTEGER NOT NULL DEFAULT 0,  -- until then a download may be reading it
  reconciled_at INTEGER NOT NULL DEFAULT 0,  -- when the origin was last asked whether the image is still there
  verified_at   INTEGER NOT NULL,            -- when all of it was last read and matched its digest
  scrubbed_at   INTEGER NOT NULL             -- when the scrub last tried, however that ended
) STRICT;

CREATE INDEX images_by_use ON images (last_accessed, image_id);
-- What a project has is summed from it alone.
CREATE INDEX images_by_owner ON images (owner, size);
CREATE INDEX images_by_reconciled ON images (reconciled_at);
CREATE INDEX images_by_commit ON images (committed_at);
-- The sum of all sizes is taken from it without reading the rows themselves.
CREATE INDEX images_by_scrubbed ON images (scrubbed_at, size);

-- Room that fills have taken: with `images` all that may be in R2. A row is there before the first slice and goes after
-- the last one.
CREATE TABLE fills (
  attempt  TEXT PRIMARY KEY,
  image_id TEXT NOT NULL,
  owner    TEXT,              -- project of the image; null: nobody knows
  size     INTEGER NOT NULL,  -- bytes of the image
  bytes    INTEGER NOT NULL,  -- twice the size while slices and object are there together
  since    INTEGER NOT NULL   -- ms since the epoch
) STRICT;

CREATE INDEX fills_by_image ON fills (image_id);
CREATE INDEX fills_by_age ON fills (since, image_id);

CREATE TABLE queue (
  image_id   TEXT PRIMARY KEY,
  queued_at  INTEGER NOT NULL,            -- ms since the epoch
  attempts   INTEGER NOT NULL DEFAULT 0,  -- that failed
  not_before INTEGER NOT NULL DEFAULT 0,  -- ms since the epoch
  last_error TEXT,
  by_policy  INTEGER NOT NULL DEFAULT 0,  -- 1: PREFETCH_IMAGES has queued it, and nobody else
  started_at INTEGER,                     -- ms since the epoch; null while the image waits for its turn
  stored_at  INTEGER                      -- ms since the epoch; then it is listed for a moment more, and that is all
) STRICT;

-- The order in which queued images are started and listed, so that neither looks at the whole queue for a part of it.
CREATE INDEX queue_by_age ON queue (queued_at, image_id);
CREATE INDEX queue_by_turn ON queue (by_policy, queued_at, image_id);
-- Those that are under way: PREFETCH_CONCURRENCY at most, among any number that wait.
CREATE INDEX queue_started ON queue (started_at) WHERE started_at IS NOT NULL;
CREATE INDEX queue_stored ON queue (queued_at) WHERE stored_at IS NOT NULL;

-- Where a task that goes through everything in many runs has got to; `cleared`: up to which commit images are to go.
CREATE TABLE upkeep (
  task   TEXT PRIMARY KEY,
  cursor TEXT NOT NULL
) STRICT;
