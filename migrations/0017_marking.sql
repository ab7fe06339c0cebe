-- Tags set and taken on many pairs, by somebody or by a rule; and rules that tag by themselves.

-- One marking: who is frozen in its parts, and a job goes through them.
create table marking (
  corp_id    BIGINT NOT NULL,
  id         BIGINT NOT NULL,
  -- asked, merge, rule
  kind       TEXT NOT NULL,
  -- running, paused, done, failed, stopped
  state      TEXT NOT NULL,
  -- Ids of the tags to set and to take: JSON lists
  set_tags   TEXT NOT NULL,
  take_tags  TEXT NOT NULL,
  -- Of a merge: only pairs with this tag, which is deleted in the end
  carrying   BIGINT,
  segment_id BIGINT,
  -- What the asker could see: JSON
  reach      TEXT NOT NULL,
  -- People, and what became of those who are through
  total      BIGINT NOT NULL,
  changed    BIGINT NOT NULL,
  unchanged  BIGINT NOT NULL,
  refused    BIGINT NOT NULL,
  -- Rises when it goes on after a pause: the job of an earlier turn does nothing any more.
  turn       BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  ended_at   BIGINT,
  -- Why it pauses by itself, failed, or left something undone: JSON
  problem    TEXT,
  PRIMARY KEY (corp_id, id)
);

-- People who wait, some together: a JSON list of contact ids. Gone once they are through.
create table marking_part (
  corp_id    BIGINT NOT NULL,
  marking_id BIGINT NOT NULL,
  part       BIGINT NOT NULL,
  contacts   TEXT NOT NULL,
  PRIMARY KEY (corp_id, marking_id, part)
);

-- A person who was not marked, at which associate, and why: JSON.
create table marking_refusal (
  corp_id      BIGINT NOT NULL,
  marking_id   BIGINT NOT NULL,
  contact_id   BIGINT NOT NULL,
  associate_id BIGINT,
  why          TEXT NOT NULL,
  PRIMARY KEY (corp_id, marking_id, contact_id)
);

-- The marking that a change of a tag was a part of.
alter table tag_change add column marking_id BIGINT;

-- When this happens, that tag is set.
create table tag_rule (
  corp_id    BIGINT NOT NULL,
  id         BIGINT NOT NULL,
  version    BIGINT NOT NULL,
  -- What has to happen: JSON
  condition  TEXT NOT NULL,
  tag_id     BIGINT NOT NULL,
  is_on      BOOLEAN NOT NULL,
  -- What happened before does not count.
  since_at   BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  deleted_at BIGINT,
  PRIMARY KEY (corp_id, id)
);
create index tag_change_rule on tag_change (corp_id, actor, at) where source = 'rule';

-- Kinds of timeline entries that somebody reacts to.
create table timeline_wanted (
  corp_id BIGINT NOT NULL,
  kind    TEXT NOT NULL,
  PRIMARY KEY (corp_id, kind)
);
