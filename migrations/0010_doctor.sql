-- What the last look at an installation found, a corp; and the last callback that had to be refused.

create table doctor_report (
  corp_id    BIGINT PRIMARY KEY,
  -- Later than checked_at: a look is under way.
  started_at BIGINT NOT NULL,
  checked_at BIGINT,
  -- The lines, as JSON.
  lines      TEXT NOT NULL
);

create table callback_refusal (
  corp_id    BIGINT PRIMARY KEY,
  refused_at BIGINT NOT NULL,
  -- signature: another token; body: signed with ours, but not to be opened with our key.
  reason     TEXT NOT NULL
);

-- How old the last callback is, and what may be swept.
create index inbox_age on inbox (corp_id, received_at);
