-- Contacts that are one person: two external_userids with one unionid, put together by somebody and taken apart again.

-- The external_userid by which the platform knows this pair, of a contact that was merged into this one; empty: the contact's own.
alter table follow add column alias TEXT NOT NULL DEFAULT '';
alter table follow_period add column alias TEXT NOT NULL DEFAULT '';
drop index follow_pair;
create unique index follow_pair on follow (corp_id, contact_id, associate_id, alias);

create table contact_merge (
  corp_id    BIGINT NOT NULL,
  id         BIGINT NOT NULL,
  kept_id    BIGINT NOT NULL,
  merged_id  BIGINT NOT NULL,
  -- Columns that the kept one lacked and has from the other, a list with spaces
  gave       TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  undone_by  TEXT,
  undone_at  BIGINT,
  PRIMARY KEY (corp_id, id)
);
create index contact_merge_kept on contact_merge (corp_id, kept_id);
create index contact_merge_merged on contact_merge (corp_id, merged_id);

-- Whose rows a merge changed: undone, exactly these go back.
create table contact_merge_row (
  corp_id  BIGINT NOT NULL,
  merge_id BIGINT NOT NULL,
  place    TEXT NOT NULL,
  row_key  TEXT NOT NULL,
  PRIMARY KEY (corp_id, merge_id, place, row_key)
);

-- Rows of `contact` that are merged, as they were; contact_id: who that is now.
create table merged_contact (
  corp_id         BIGINT NOT NULL,
  id              BIGINT NOT NULL,
  external_userid TEXT NOT NULL,
  unionid         TEXT,
  name            TEXT NOT NULL,
  avatar          TEXT NOT NULL,
  kind            BIGINT NOT NULL,
  gender          BIGINT NOT NULL,
  birthday        TEXT,
  phone_blind     TEXT,
  phone_last4     TEXT,
  phone_sealed    TEXT,
  home_store_id   BIGINT,
  opted_out_at    BIGINT,
  created_at      BIGINT NOT NULL,
  updated_at      BIGINT NOT NULL,
  contact_id      BIGINT NOT NULL,
  merge_id        BIGINT NOT NULL,
  PRIMARY KEY (corp_id, id)
);
create unique index merged_contact_external on merged_contact (corp_id, external_userid);
create index merged_contact_now on merged_contact (corp_id, contact_id);
create index merged_contact_phone on merged_contact (corp_id, phone_blind) where phone_blind is not null;

-- Everybody the platform may speak of: the one place that knows who an external_userid is.
create view known_contact as
  select corp_id, external_userid, id as contact_id, cast('' as text) as alias from contact
  union all
  select corp_id, external_userid, contact_id, external_userid as alias from merged_contact;

-- Unionids that several contacts have.
create table contact_duplicate (
  corp_id BIGINT NOT NULL,
  unionid TEXT NOT NULL,
  PRIMARY KEY (corp_id, unionid)
);
insert into contact_duplicate (corp_id, unionid)
  select corp_id, unionid from contact where unionid is not null and unionid <> ''
  group by corp_id, unionid having count(*) > 1;

create index moment_interaction_contact on moment_interaction (corp_id, contact_id);
create index link_contact on link (corp_id, contact_id) where contact_id is not null;
