-- What managing the cache needs: use, room, the queue of images to fetch, and where the upkeep has got to.

ALTER TABLE images ADD COLUMN hits INTEGER NOT NULL DEFAULT 0;
-- ms since the epoch; the commit counts as the first access, so that an image which nobody has read yet has its place in
-- the order of use
ALTER TABLE images ADD COLUMN last_accessed INTEGER NOT NULL DEFAULT 0;
-- ms since the epoch; until then a download may be reading it, renewed while one does
ALTER TABLE images ADD COLUMN in_use_until INTEGER NOT NULL DEFAULT 0;
-- ms since the epoch; the last time that the origin was asked whether the image is still there
ALTER TABLE images ADD COLUMN reconciled_at INTEGER NOT NULL DEFAULT 0;
UPDATE images SET last_accessed = committed_at;

CREATE INDEX images_by_reconciled ON images (reconciled_at);
-- ms since the epoch; the last time that the scrub tried, however that ended: one that can't be read must not keep the
-- others from their turn
ALTER TABLE blobs ADD COLUMN scrubbed_at INTEGER NOT NULL DEFAULT 0;
UPDATE blobs SET scrubbed_at = verified_at;
-- The order of the scrub; and the sum of all sizes is taken from it without reading the rows themselves.
CREATE INDEX blobs_by_scrubbed ON blobs (scrubbed_at, size);
CREATE UNIQUE INDEX blobs_by_generation ON blobs (generation);

-- Generations that have, or may have, slices in R2 and are not in `blobs`: together with those they are all that takes
-- room. A row is there before the first slice and goes after the last one.
CREATE TABLE generations (
  generation TEXT PRIMARY KEY,
  blob       TEXT NOT NULL,
  image_id   TEXT NOT NULL,     -- whose Fill stores it, or stored it
  size       INTEGER NOT NULL,  -- bytes of the whole image
  state      TEXT NOT NULL CHECK (state IN ('filling', 'removing')),
  since      INTEGER NOT NULL   -- ms since the epoch; when this state began
) STRICT;

CREATE TABLE queue (
  image_id   TEXT PRIMARY KEY,
  queued_at  INTEGER NOT NULL,            -- ms since the epoch
  attempts   INTEGER NOT NULL DEFAULT 0,  -- that failed
  not_before INTEGER NOT NULL DEFAULT 0,  -- ms since the epoch
  last_error TEXT,
  started_at INTEGER                      -- ms since the epoch; null while the image waits for its turn
) STRICT;

-- Where a task that goes through everything in many runs has got to.
CREATE TABLE upkeep (
  task   TEXT PRIMARY KEY,
  cursor TEXT NOT NULL
) STRICT;
