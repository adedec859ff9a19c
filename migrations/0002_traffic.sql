-- What was counted, per hour, over all isolates: charts read the hours, metrics the sums over all of them.

CREATE TABLE traffic (
  hour   INTEGER NOT NULL,  -- since the epoch; 0: all that is older than 35 days, folded together
  figure TEXT NOT NULL,     -- src/store/figures.ts
  label  TEXT NOT NULL,
  value  INTEGER NOT NULL,
  PRIMARY KEY (hour, figure, label)
) STRICT, WITHOUT ROWID;
