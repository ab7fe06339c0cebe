-- What colleagues note of customers and mean to do for them, phone numbers that may be shown, views of the list.

-- Who wrote a line that somebody wrote: `operator:12`, `api_key:3`.
alter table timeline add column author TEXT;

create table follow_up (
  corp_id      BIGINT NOT NULL,
  id           BIGINT NOT NULL,
  contact_id   BIGINT NOT NULL,
  -- Whose it is; a transfer of the contact takes it along.
  associate_id BIGINT NOT NULL,
  what         TEXT NOT NULL,
  due_day      TEXT NOT NULL,
  -- open, done, dropped
  state        TEXT NOT NULL,
  created_by   TEXT NOT NULL,
  created_at   BIGINT NOT NULL,
  ended_by     TEXT,
  ended_at     BIGINT,
  PRIMARY KEY (corp_id, id)
);
create index follow_up_open on follow_up (corp_id, associate_id, due_day, id) where state = 'open';
create index follow_up_contact on follow_up (corp_id, contact_id);

-- The number itself, sealed; only a right, and an entry in the audit chain, opens it.
alter table contact add column phone_sealed TEXT;
-- How often somebody was shown a number lately.
create index audit_phone on audit_entry (corp_id, actor, at) where action = 'contact.phone';

-- A filter of the contact list under a name. Shared: none is its owner's alone, else with whoever is in the store or
-- the region, or with everybody.
create table contact_view (
  corp_id     BIGINT NOT NULL,
  id          BIGINT NOT NULL,
  operator_id BIGINT NOT NULL,
  name        TEXT NOT NULL,
  -- The query of the list's address
  query       TEXT NOT NULL,
  -- own, store, region, corp
  shared      TEXT NOT NULL,
  place_id    BIGINT NOT NULL,
  created_at  BIGINT NOT NULL,
  PRIMARY KEY (corp_id, id)
);
create unique index contact_view_name on contact_view (corp_id, operator_id, name);
create index contact_view_shared on contact_view (corp_id, shared, place_id);
