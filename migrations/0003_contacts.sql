-- Contacts, who follows whom and since when, tags, segments, welcome messages.

create table contact (
  corp_id         BIGINT NOT NULL,
  id              BIGINT NOT NULL,
  external_userid TEXT NOT NULL,
  unionid         TEXT,
  name            TEXT NOT NULL,
  avatar          TEXT NOT NULL,
  -- 1 a WeChat user, 2 a WeCom user of another corp
  kind            BIGINT NOT NULL,
  -- 0 unknown, 1 male, 2 female
  gender          BIGINT NOT NULL,
  -- MM-DD
  birthday        TEXT,
  -- Keyed fingerprint of the phone number; the number itself is not kept.
  phone_blind     TEXT,
  phone_last4     TEXT,
  home_store_id   BIGINT,
  opted_out_at    BIGINT,
  created_at      BIGINT NOT NULL,
  updated_at      BIGINT NOT NULL,
  PRIMARY KEY (corp_id, id)
);
create unique index contact_external on contact (corp_id, external_userid);
create index contact_unionid on contact (corp_id, unionid);
create index contact_phone on contact (corp_id, phone_blind);

-- The pair as it is now. State: active, lost (the contact left), removed (the associate removed), transferred.
create table follow (
  corp_id      BIGINT NOT NULL,
  id           BIGINT NOT NULL,
  contact_id   BIGINT NOT NULL,
  associate_id BIGINT NOT NULL,
  store_id     BIGINT,
  state        TEXT NOT NULL,
  remark       TEXT NOT NULL,
  description  TEXT NOT NULL,
  add_way      BIGINT NOT NULL,
  channel      TEXT NOT NULL,
  -- Our tag ids, ` 12 34 `: a list on the row, as the platform gives it. History is in tag_change.
  tags         TEXT NOT NULL,
  added_at     BIGINT NOT NULL,
  added_day    TEXT NOT NULL,
  ended_at     BIGINT,
  seen_at      BIGINT NOT NULL,
  PRIMARY KEY (corp_id, id)
);
create unique index follow_pair on follow (corp_id, contact_id, associate_id);
create index follow_associate on follow (corp_id, associate_id, state, added_at);
create index follow_store on follow (corp_id, store_id, state, added_at);
-- The contact list of the whole corp, last added first.
create index follow_recent on follow (corp_id, state, added_at, contact_id);
create index follow_added on follow (corp_id, added_day);

-- Every stretch of following there ever was: who, whom, in which store, from when to when, why it began and ended.
create table follow_period (
  corp_id      BIGINT NOT NULL,
  id           BIGINT NOT NULL,
  contact_id   BIGINT NOT NULL,
  associate_id BIGINT NOT NULL,
  store_id     BIGINT,
  from_at      BIGINT NOT NULL,
  from_day     TEXT NOT NULL,
  -- scan, search, group, link, transfer, moved (the associate changed store), other
  from_cause   TEXT NOT NULL,
  until_at     BIGINT,
  until_day    TEXT,
  -- contact, associate, transfer, moved, system
  until_cause  TEXT,
  PRIMARY KEY (corp_id, id)
);
create index follow_period_pair on follow_period (corp_id, contact_id, associate_id, from_at);
create index follow_period_store on follow_period (corp_id, store_id, from_day, until_day);
create index follow_period_from on follow_period (corp_id, from_day);
create index follow_period_until on follow_period (corp_id, until_day);

-- The associate a contact belongs to, for a time.
create table binding (
  corp_id      BIGINT NOT NULL,
  contact_id   BIGINT NOT NULL,
  from_at      BIGINT NOT NULL,
  associate_id BIGINT NOT NULL,
  until_at     BIGINT NOT NULL,
  PRIMARY KEY (corp_id, contact_id, from_at)
);

create table tag_group (
  corp_id     BIGINT NOT NULL,
  id          BIGINT NOT NULL,
  platform_id TEXT NOT NULL,
  name        TEXT NOT NULL,
  sort        BIGINT NOT NULL,
  created_at  BIGINT NOT NULL,
  deleted_at  BIGINT,
  PRIMARY KEY (corp_id, id)
);
create unique index tag_group_platform on tag_group (corp_id, platform_id);

create table tag (
  corp_id     BIGINT NOT NULL,
  id          BIGINT NOT NULL,
  group_id    BIGINT NOT NULL,
  platform_id TEXT NOT NULL,
  name        TEXT NOT NULL,
  sort        BIGINT NOT NULL,
  created_at  BIGINT NOT NULL,
  deleted_at  BIGINT,
  PRIMARY KEY (corp_id, id)
);
create unique index tag_platform on tag (corp_id, platform_id);
create index tag_of_group on tag (corp_id, group_id);

-- Who set or took a tag, when and why; append-only. Source: platform, operator, api, rule.
create table tag_change (
  corp_id      BIGINT NOT NULL,
  id           BIGINT NOT NULL,
  contact_id   BIGINT NOT NULL,
  associate_id BIGINT NOT NULL,
  tag_id       BIGINT NOT NULL,
  added        BOOLEAN NOT NULL,
  source       TEXT NOT NULL,
  actor        TEXT NOT NULL,
  at           BIGINT NOT NULL,
  PRIMARY KEY (corp_id, id)
);
create index tag_change_contact on tag_change (corp_id, contact_id, at);

create table segment (
  corp_id    BIGINT NOT NULL,
  id         BIGINT NOT NULL,
  name       TEXT NOT NULL,
  rule       TEXT NOT NULL,
  version    BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  deleted_at BIGINT,
  PRIMARY KEY (corp_id, id)
);
create unique index segment_name on segment (corp_id, name) where deleted_at is null;

-- One welcome a target: the corp, a store or a channel. The nearest that fits is sent.
create table welcome (
  corp_id     BIGINT NOT NULL,
  id          BIGINT NOT NULL,
  -- corp, store:<id>, channel:<state>
  applies_to  TEXT NOT NULL,
  text        TEXT NOT NULL,
  attachments TEXT NOT NULL,
  created_at  BIGINT NOT NULL,
  updated_at  BIGINT NOT NULL,
  PRIMARY KEY (corp_id, id)
);
create unique index welcome_target on welcome (corp_id, applies_to);

-- What became of each welcome code: sent, late, failed.
create table welcome_sent (
  corp_id      BIGINT NOT NULL,
  code_hash    TEXT NOT NULL,
  contact_id   BIGINT,
  associate_id BIGINT,
  welcome_id   BIGINT,
  state        TEXT NOT NULL,
  reason       TEXT,
  at           BIGINT NOT NULL,
  PRIMARY KEY (corp_id, code_hash)
);
