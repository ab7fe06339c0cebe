-- Links and clicks; campaigns, their batches and deliveries; moments.

create table link (
  corp_id      BIGINT NOT NULL,
  id           BIGINT NOT NULL,
  code         TEXT NOT NULL UNIQUE,
  title        TEXT NOT NULL,
  -- mini_program or web, and where it leads, as JSON
  target       TEXT NOT NULL,
  store_id     BIGINT,
  associate_id BIGINT,
  campaign_id  BIGINT,
  moment_id    BIGINT,
  -- Set for links made for one contact.
  contact_id   BIGINT,
  created_by   TEXT NOT NULL,
  created_at   BIGINT NOT NULL,
  closed_at    BIGINT,
  PRIMARY KEY (corp_id, id)
);
create index link_associate on link (corp_id, associate_id, created_at);
create index link_store on link (corp_id, store_id, created_at);
create index link_campaign on link (corp_id, campaign_id);
create index link_moment on link (corp_id, moment_id);

create table click (
  corp_id       BIGINT NOT NULL,
  id            BIGINT NOT NULL,
  link_id       BIGINT NOT NULL,
  -- What the mini-store gets as `t`; opaque.
  token         TEXT NOT NULL,
  visitor       TEXT NOT NULL,
  contact_id    BIGINT,
  campaign_id   BIGINT,
  moment_id     BIGINT,
  associate_id  BIGINT,
  store_id      BIGINT,
  at            BIGINT NOT NULL,
  day           TEXT NOT NULL,
  -- person, preview, repeat: only the first counts
  kind          TEXT NOT NULL,
  identified_at BIGINT,
  PRIMARY KEY (corp_id, id)
);
create unique index click_token on click (corp_id, token);
create index click_link on click (corp_id, link_id, at);
create index click_contact on click (corp_id, contact_id, at);
create index click_visitor on click (corp_id, visitor, at);
create index click_campaign on click (corp_id, campaign_id, at);
create index click_store on click (corp_id, store_id, day);

create table campaign (
  corp_id            BIGINT NOT NULL,
  id                 BIGINT NOT NULL,
  name               TEXT NOT NULL,
  -- draft, scheduled, running, paused, finished, cancelled, missed
  state              TEXT NOT NULL,
  segment_id         BIGINT,
  rule               TEXT NOT NULL,
  content            TEXT NOT NULL,
  -- Wall-clock time as typed, and the zone it was meant in; null: now.
  send_at            TEXT,
  zone               TEXT NOT NULL,
  deadline           TEXT,
  late_after_minutes BIGINT NOT NULL,
  holdout_percent    BIGINT NOT NULL,
  priority           BIGINT NOT NULL,
  created_by         TEXT NOT NULL,
  approved_by        TEXT,
  starts_at          BIGINT,
  ends_at            BIGINT,
  frozen_at          BIGINT,
  -- The window whose quota was claimed: the corp's mode may change later.
  quota_window       TEXT,
  started_at         BIGINT,
  finished_at        BIGINT,
  version            BIGINT NOT NULL,
  created_at         BIGINT NOT NULL,
  updated_at         BIGINT NOT NULL,
  PRIMARY KEY (corp_id, id)
);
create index campaign_recent on campaign (corp_id, created_at, id);
create index campaign_due on campaign (starts_at) where state = 'scheduled';

-- One platform task: one sender, at most so many contacts.
create table batch (
  corp_id         BIGINT NOT NULL,
  id              BIGINT NOT NULL,
  campaign_id     BIGINT NOT NULL,
  associate_id    BIGINT NOT NULL,
  store_id        BIGINT,
  link_id         BIGINT,
  -- planned, calling, handed, rejected, unknown, cancelled
  state           TEXT NOT NULL,
  contacts        BIGINT NOT NULL,
  -- Frozen before the first call, so a look at the platform's list can tell it again.
  body            TEXT,
  marker          TEXT NOT NULL,
  lease_epoch     BIGINT NOT NULL,
  call_started_at BIGINT,
  msgid           TEXT,
  -- Whether the associate pressed send.
  confirmed_at    BIGINT,
  handed_at       BIGINT,
  polled_at       BIGINT,
  next_poll_at    BIGINT,
  polls           BIGINT NOT NULL,
  -- Reminders within 24 hours of the first of them.
  reminded        BIGINT NOT NULL,
  reminded_at     BIGINT,
  error           TEXT,
  PRIMARY KEY (corp_id, id)
);
create index batch_campaign on batch (corp_id, campaign_id, state);
create index batch_associate on batch (corp_id, associate_id, state);
create unique index batch_marker on batch (corp_id, marker);

create table delivery (
  corp_id      BIGINT NOT NULL,
  campaign_id  BIGINT NOT NULL,
  contact_id   BIGINT NOT NULL,
  associate_id BIGINT,
  store_id     BIGINT,
  batch_id     BIGINT,
  -- planned, tasked, sent, failed, expired, excluded, cancelled, unknown
  state        TEXT NOT NULL,
  reason       TEXT,
  sent_at      BIGINT,
  sent_day     TEXT,
  updated_at   BIGINT NOT NULL,
  PRIMARY KEY (corp_id, campaign_id, contact_id)
);
create index delivery_contact on delivery (corp_id, contact_id, sent_at);
create index delivery_batch on delivery (corp_id, batch_id);
create index delivery_store on delivery (corp_id, store_id, sent_day);

-- Broadcasts a contact may still get: claimed when planned, given back when not sent. Window is YYYY-MM, YYYY-Www or YYYY-MM-DD.
create table quota_use (
  corp_id     BIGINT NOT NULL,
  contact_id  BIGINT NOT NULL,
  window_key  TEXT NOT NULL,
  used        BIGINT NOT NULL,
  PRIMARY KEY (corp_id, contact_id, window_key)
);

create table moment (
  corp_id      BIGINT NOT NULL,
  id           BIGINT NOT NULL,
  text         TEXT NOT NULL,
  attachments  TEXT NOT NULL,
  target       TEXT,
  rule         TEXT,
  -- planned, creating, published, failed, cancelled
  state        TEXT NOT NULL,
  send_at      TEXT,
  starts_at    BIGINT NOT NULL,
  created_by   TEXT NOT NULL,
  created_at   BIGINT NOT NULL,
  error        TEXT,
  PRIMARY KEY (corp_id, id)
);
create index moment_recent on moment (corp_id, created_at, id);

-- What the platform is asked for one moment: one sender, or the senders of one store, each part with its own link.
create table moment_part (
  corp_id         BIGINT NOT NULL,
  moment_id       BIGINT NOT NULL,
  n               BIGINT NOT NULL,
  store_id        BIGINT,
  link_id         BIGINT NOT NULL,
  -- planned, calling, creating, created, failed, cancelled
  state           TEXT NOT NULL,
  call_started_at BIGINT,
  jobid           TEXT,
  platform_id     TEXT,
  created_at      BIGINT,
  error           TEXT,
  PRIMARY KEY (corp_id, moment_id, n)
);

create table moment_task (
  corp_id      BIGINT NOT NULL,
  moment_id    BIGINT NOT NULL,
  associate_id BIGINT NOT NULL,
  part         BIGINT NOT NULL,
  store_id     BIGINT,
  -- planned, tasked, published, failed, cancelled
  state        TEXT NOT NULL,
  -- When the associate was given it; stays, whatever becomes of it.
  due_day      TEXT,
  published_at BIGINT,
  published_day TEXT,
  visible      BIGINT NOT NULL,
  -- When likes, comments and visible customers were read last.
  seen_at      BIGINT,
  PRIMARY KEY (corp_id, moment_id, associate_id)
);
create index moment_task_associate on moment_task (corp_id, associate_id, state);

-- A like or a comment, once a person and kind and instant.
create table moment_interaction (
  corp_id      BIGINT NOT NULL,
  moment_id    BIGINT NOT NULL,
  associate_id BIGINT NOT NULL,
  contact_id   BIGINT NOT NULL,
  -- like, comment
  kind         TEXT NOT NULL,
  at           BIGINT NOT NULL,
  PRIMARY KEY (corp_id, moment_id, associate_id, contact_id, kind, at)
);
