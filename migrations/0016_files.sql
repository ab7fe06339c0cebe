-- What headquarters knows of contacts beyond the platform, the files it comes in, and the files contacts leave in.

create table contact_field (
  corp_id    BIGINT NOT NULL,
  id         BIGINT NOT NULL,
  name       TEXT NOT NULL,
  -- text, number, date, choice
  kind       TEXT NOT NULL,
  -- JSON list; empty but for a choice
  choices    TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  deleted_at BIGINT,
  PRIMARY KEY (corp_id, id)
);
create unique index contact_field_name on contact_field (corp_id, lower(name)) where deleted_at is null;

create table contact_value (
  corp_id    BIGINT NOT NULL,
  contact_id BIGINT NOT NULL,
  field_id   BIGINT NOT NULL,
  value      TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (corp_id, contact_id, field_id)
);

create table contact_import (
  corp_id    BIGINT NOT NULL,
  id         BIGINT NOT NULL,
  -- The file's own
  name       TEXT NOT NULL,
  -- reading, running, done, failed, stopped
  state      TEXT NOT NULL,
  -- The first row as it came, and what its columns are, a JSON list
  head       TEXT NOT NULL,
  columns    TEXT NOT NULL,
  is_tabbed  BOOLEAN NOT NULL,
  total      BIGINT NOT NULL,
  loaded     BIGINT NOT NULL,
  unchanged  BIGINT NOT NULL,
  refused    BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  ended_at   BIGINT,
  -- What ended one that failed
  problem    TEXT,
  PRIMARY KEY (corp_id, id)
);

-- Rows that wait, a thousand together, sealed: they hold phone numbers. Gone once they are taken.
create table import_part (
  corp_id   BIGINT NOT NULL,
  import_id BIGINT NOT NULL,
  part      BIGINT NOT NULL,
  rows      TEXT NOT NULL,
  PRIMARY KEY (corp_id, import_id, part)
);

-- Whom an import has found so far, by the row; gone when it ends.
create table import_found (
  corp_id    BIGINT NOT NULL,
  import_id  BIGINT NOT NULL,
  contact_id BIGINT NOT NULL,
  line       BIGINT NOT NULL,
  PRIMARY KEY (corp_id, import_id, contact_id)
);

-- A row that was not loaded, sealed, and why: the sentence, its key and its values.
create table import_refusal (
  corp_id   BIGINT NOT NULL,
  import_id BIGINT NOT NULL,
  line      BIGINT NOT NULL,
  field     TEXT NOT NULL,
  reason    TEXT NOT NULL,
  text_key  TEXT NOT NULL,
  text_args TEXT NOT NULL,
  cells     TEXT NOT NULL,
  PRIMARY KEY (corp_id, import_id, line)
);

create table contact_export (
  corp_id    BIGINT NOT NULL,
  id         BIGINT NOT NULL,
  -- running, done, failed, stopped
  state      TEXT NOT NULL,
  -- The list's filter, and what the asker could see when they asked: JSON
  filter     TEXT NOT NULL,
  reach      TEXT NOT NULL,
  -- Fields of our own that have a column each: JSON
  fields     TEXT NOT NULL,
  total      BIGINT NOT NULL,
  written    BIGINT NOT NULL,
  part       BIGINT NOT NULL,
  -- Where it goes on; null: at the beginning
  after_row  TEXT,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  ended_at   BIGINT,
  expires_at BIGINT NOT NULL,
  problem    TEXT,
  PRIMARY KEY (corp_id, id)
);

create table export_part (
  corp_id   BIGINT NOT NULL,
  export_id BIGINT NOT NULL,
  part      BIGINT NOT NULL,
  body      TEXT NOT NULL,
  PRIMARY KEY (corp_id, export_id, part)
);
