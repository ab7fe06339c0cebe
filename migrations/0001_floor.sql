-- The floor: nodes, jobs, the inbox of callbacks, saved answers, corps, people who sign in, audit.

create table node (
  number      BIGINT PRIMARY KEY,
  token       TEXT NOT NULL,
  lease_until BIGINT NOT NULL,
  last_ms     BIGINT NOT NULL
);

create table job (
  id          BIGINT PRIMARY KEY,
  corp_id     BIGINT NOT NULL,
  kind        TEXT NOT NULL,
  payload     TEXT NOT NULL,
  lane        BIGINT NOT NULL,
  state       TEXT NOT NULL,
  run_at      BIGINT NOT NULL,
  attempts    BIGINT NOT NULL,
  lease_epoch BIGINT NOT NULL,
  lease_until BIGINT NOT NULL,
  unique_key  TEXT,
  last_error  TEXT,
  created_at  BIGINT NOT NULL
);
create unique index job_unique on job (corp_id, kind, unique_key);
create index job_due on job (lane, run_at, id) where state = 'waiting';

create table corp (
  id               BIGINT PRIMARY KEY,
  corpid           TEXT NOT NULL UNIQUE,
  name             TEXT NOT NULL,
  zone             TEXT NOT NULL,
  agent_id         BIGINT NOT NULL,
  secret_sealed    TEXT NOT NULL,
  callback_token_sealed TEXT NOT NULL,
  callback_key_sealed   TEXT NOT NULL,
  -- How many broadcasts a customer may get: month_days, per_week, per_day.
  quota_mode       TEXT NOT NULL,
  -- A campaign to more people than this wants a second person; null: none does.
  approval_over    BIGINT,
  -- Hosts a link may lead to, space-separated; and where a message's store link leads when it names none, as JSON.
  link_hosts       TEXT NOT NULL,
  mini_store       TEXT,
  status           TEXT NOT NULL,
  created_at       BIGINT NOT NULL
);

-- Callbacks as they came, decrypted; the key is the hash of the plaintext, so the platform's retry is dropped.
create table inbox (
  corp_id     BIGINT NOT NULL,
  body_hash   TEXT NOT NULL,
  body        TEXT NOT NULL,
  received_at BIGINT NOT NULL,
  state       TEXT NOT NULL,
  PRIMARY KEY (corp_id, body_hash)
);
create index inbox_new on inbox (received_at) where state = 'new';

-- Answers saved by Idempotency-Key, written in the effect's own transaction.
create table saved_answer (
  corp_id     BIGINT NOT NULL,
  api_key_id  BIGINT NOT NULL,
  idempotency_key TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  status      BIGINT NOT NULL,
  body        TEXT NOT NULL,
  created_at  BIGINT NOT NULL,
  PRIMARY KEY (corp_id, api_key_id, idempotency_key)
);
create index saved_answer_age on saved_answer (created_at);

create table operator (
  corp_id       BIGINT NOT NULL,
  id            BIGINT NOT NULL,
  login         TEXT NOT NULL UNIQUE,
  name          TEXT NOT NULL,
  role          TEXT NOT NULL,
  -- Argon2id; null: signs in by the platform only.
  password_hash TEXT,
  associate_id  BIGINT,
  store_id      BIGINT,
  region_id     BIGINT,
  -- Rises when the role, the scope or the person goes: older sessions end.
  auth_epoch    BIGINT NOT NULL,
  status        TEXT NOT NULL,
  created_at    BIGINT NOT NULL,
  PRIMARY KEY (corp_id, id)
);
create unique index operator_associate on operator (corp_id, associate_id);

create table session (
  token_hash   TEXT PRIMARY KEY,
  corp_id      BIGINT NOT NULL,
  operator_id  BIGINT NOT NULL,
  auth_epoch   BIGINT NOT NULL,
  csrf         TEXT NOT NULL,
  created_at   BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  ended_at     BIGINT
);
create index session_operator on session (corp_id, operator_id);

-- A sign-in by the platform that is under way; used once.
create table oauth_attempt (
  state_hash   TEXT PRIMARY KEY,
  browser_hash TEXT NOT NULL,
  corp_id      BIGINT NOT NULL,
  return_to    TEXT NOT NULL,
  created_at   BIGINT NOT NULL,
  used_at      BIGINT
);

create table api_key (
  corp_id      BIGINT NOT NULL,
  id           BIGINT NOT NULL,
  name         TEXT NOT NULL,
  key_hash     TEXT NOT NULL UNIQUE,
  scopes       TEXT NOT NULL,
  expires_at   BIGINT,
  last_used_at BIGINT,
  revoked_at   BIGINT,
  created_at   BIGINT NOT NULL,
  PRIMARY KEY (corp_id, id)
);

-- Who did what: one chain a corp, each entry's hash over the one before.
create table audit_entry (
  corp_id   BIGINT NOT NULL,
  seq       BIGINT NOT NULL,
  at        BIGINT NOT NULL,
  actor     TEXT NOT NULL,
  action    TEXT NOT NULL,
  subject   TEXT NOT NULL,
  detail    TEXT NOT NULL,
  hash      TEXT NOT NULL,
  PRIMARY KEY (corp_id, seq)
);
