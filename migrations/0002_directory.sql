-- Departments as the platform has them; regions, stores and associates as we use them; what happened, by day.

create table department (
  corp_id   BIGINT NOT NULL,
  id        BIGINT NOT NULL,
  parent_id BIGINT NOT NULL,
  name      TEXT NOT NULL,
  sort      BIGINT NOT NULL,
  seen_at   BIGINT NOT NULL,
  PRIMARY KEY (corp_id, id)
);

create table region (
  corp_id       BIGINT NOT NULL,
  id            BIGINT NOT NULL,
  name          TEXT NOT NULL,
  department_id BIGINT,
  PRIMARY KEY (corp_id, id)
);
create unique index region_department on region (corp_id, department_id);

create table store (
  corp_id       BIGINT NOT NULL,
  id            BIGINT NOT NULL,
  code          TEXT NOT NULL,
  name          TEXT NOT NULL,
  region_id     BIGINT NOT NULL,
  zone          TEXT NOT NULL,
  status        TEXT NOT NULL,
  department_id BIGINT,
  created_at    BIGINT NOT NULL,
  PRIMARY KEY (corp_id, id)
);
create unique index store_code on store (corp_id, code);
create unique index store_department on store (corp_id, department_id);
create index store_region on store (corp_id, region_id);

create table associate (
  corp_id     BIGINT NOT NULL,
  id          BIGINT NOT NULL,
  -- Folded to lower case, as the platform compares.
  userid      TEXT NOT NULL,
  name        TEXT NOT NULL,
  store_id    BIGINT,
  -- active, disabled, not_activated, left
  status      TEXT NOT NULL,
  created_at  BIGINT NOT NULL,
  left_at     BIGINT,
  seen_at     BIGINT NOT NULL,
  PRIMARY KEY (corp_id, id)
);
create unique index associate_userid on associate (corp_id, userid);
create index associate_store on associate (corp_id, store_id);

create table store_membership (
  corp_id      BIGINT NOT NULL,
  associate_id BIGINT NOT NULL,
  from_at      BIGINT NOT NULL,
  store_id     BIGINT NOT NULL,
  until_at     BIGINT,
  PRIMARY KEY (corp_id, associate_id, from_at)
);

-- Monthly goal of a store, net sales in fen; month is YYYY-MM.
create table target (
  corp_id       BIGINT NOT NULL,
  store_id      BIGINT NOT NULL,
  month         TEXT NOT NULL,
  net_sales_fen BIGINT NOT NULL,
  PRIMARY KEY (corp_id, store_id, month)
);

-- Figures that add up, by day; written in the transaction of the fact they count.
create table store_day (
  corp_id  BIGINT NOT NULL,
  store_id BIGINT NOT NULL,
  day      TEXT NOT NULL,
  code     TEXT NOT NULL,
  value    BIGINT NOT NULL,
  PRIMARY KEY (corp_id, store_id, day, code)
);

create table associate_day (
  corp_id      BIGINT NOT NULL,
  store_id     BIGINT NOT NULL,
  associate_id BIGINT NOT NULL,
  day          TEXT NOT NULL,
  code         TEXT NOT NULL,
  value        BIGINT NOT NULL,
  PRIMARY KEY (corp_id, store_id, associate_id, day, code)
);
create index associate_day_own on associate_day (corp_id, associate_id, day);

-- What happened to a contact, in our words; append-only.
create table timeline (
  corp_id      BIGINT NOT NULL,
  id           BIGINT NOT NULL,
  contact_id   BIGINT NOT NULL,
  associate_id BIGINT,
  store_id     BIGINT,
  at           BIGINT NOT NULL,
  day          TEXT NOT NULL,
  kind         TEXT NOT NULL,
  detail       TEXT NOT NULL,
  PRIMARY KEY (corp_id, id)
);
create index timeline_contact on timeline (corp_id, contact_id, at, id);
