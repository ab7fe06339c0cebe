-- Runs that make the mirror equal to the platform: one at a time a corp, step after step, resumable.

create table sync_run (
  corp_id     BIGINT NOT NULL,
  id          BIGINT NOT NULL,
  -- first, nightly, asked
  kind        TEXT NOT NULL,
  -- running, done, failed, stopped
  state       TEXT NOT NULL,
  started_at  BIGINT NOT NULL,
  ended_at    BIGINT,
  -- Who works on it: an owner that lost the lease changes nothing any more.
  lease_epoch BIGINT NOT NULL,
  lease_until BIGINT NOT NULL,
  PRIMARY KEY (corp_id, id)
);
create unique index sync_run_one on sync_run (corp_id) where state = 'running';

create table sync_step (
  corp_id    BIGINT NOT NULL,
  run_id     BIGINT NOT NULL,
  -- people, tags, contacts
  step       TEXT NOT NULL,
  sort       BIGINT NOT NULL,
  -- waiting, running, done, failed
  state      TEXT NOT NULL,
  -- Members read of how many, and what they brought.
  done       BIGINT NOT NULL,
  total      BIGINT NOT NULL,
  seen       BIGINT NOT NULL,
  changed    BIGINT NOT NULL,
  closed     BIGINT NOT NULL,
  failed     BIGINT NOT NULL,
  started_at BIGINT,
  ended_at   BIGINT,
  -- What stands in the way: the platform's code and words.
  problem    TEXT,
  PRIMARY KEY (corp_id, run_id, step)
);

-- A few members whose customers are read one page after another.
create table sync_part (
  corp_id  BIGINT NOT NULL,
  run_id   BIGINT NOT NULL,
  part     BIGINT NOT NULL,
  -- JSON list of userids
  members  TEXT NOT NULL,
  -- open, done, failed
  state    TEXT NOT NULL,
  -- When its first page was asked for, and where it goes on; null: not begun.
  began_at BIGINT,
  cursor   TEXT,
  problem  TEXT,
  PRIMARY KEY (corp_id, run_id, part)
);
