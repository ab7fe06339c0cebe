-- Which contacts a transaction changed, one row a kind of fact (person, follow, order, click, message), and who may be
-- anybody (kind `all`, contacts null). Marks rise with the commits: on SQLite they are counted, on PostgreSQL a mark is
-- the transaction's id, and whoever reads says below which every transaction has ended.

create table contact_change (
  corp_id  BIGINT NOT NULL,
  mark     BIGINT NOT NULL,
  kind     TEXT NOT NULL,
  at       BIGINT NOT NULL,
  -- Ids as a JSON list.
  contacts TEXT,
  PRIMARY KEY (corp_id, mark, kind)
);

-- Changes below this mark were deleted: who has not read them begins anew.
create table contact_change_floor (
  corp_id BIGINT NOT NULL,
  mark    BIGINT NOT NULL,
  PRIMARY KEY (corp_id)
);
