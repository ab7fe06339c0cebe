-- The end of each audit chain, apart from its entries and under a key, so that entries cut off the end are missed.
-- Entries up to `unkeyed_to` were written before chains had a key; the first entry after them seals them as they stood.
create table audit_head (
  corp_id    BIGINT PRIMARY KEY,
  seq        BIGINT NOT NULL,
  mac        TEXT NOT NULL,
  unkeyed_to BIGINT NOT NULL
);

insert into audit_head (corp_id, seq, mac, unkeyed_to)
  select corp_id, max(seq), '', max(seq) from audit_entry group by corp_id;
