-- The catalog: what is stored, verified and may be served. A row in `blobs` is the commit point of a fill.

CREATE TABLE blobs (
  blob         TEXT PRIMARY KEY,  -- content name, see src/store/blob.ts
  generation   TEXT NOT NULL,     -- the fill whose slices are served
  size         INTEGER NOT NULL,  -- bytes
  slice_bytes  INTEGER NOT NULL,  -- the SLICE_BYTES it was stored with
  etags        TEXT NOT NULL,     -- R2 etag of each verified slice, in order, separated by spaces
  committed_at INTEGER NOT NULL,  -- ms since the epoch
  verified_at  INTEGER NOT NULL   -- ms since the epoch; the last time that all slices were read and matched the digest
) STRICT;

CREATE TABLE images (
  image_id     TEXT PRIMARY KEY,
  -- Deferred: an eviction deletes the blob and its last image in one transaction.
  blob         TEXT NOT NULL REFERENCES blobs (blob) DEFERRABLE INITIALLY DEFERRED,
  checksum     TEXT,              -- MD5 of the record, hex; what v1 knows an image by
  committed_at INTEGER NOT NULL   -- ms since the epoch
) STRICT;

CREATE INDEX images_by_blob ON images (blob);
