-- The rule of which store a member belongs to: departments marked as stores, and members named one by one. With
-- nothing marked every department that holds members is a store.

create table store_mark (
  corp_id       BIGINT NOT NULL,
  department_id BIGINT NOT NULL,
  store_id      BIGINT NOT NULL,
  PRIMARY KEY (corp_id, department_id)
);

create table store_member (
  corp_id  BIGINT NOT NULL,
  -- Folded to lower case, as the platform compares.
  userid   TEXT NOT NULL,
  store_id BIGINT NOT NULL,
  PRIMARY KEY (corp_id, userid)
);
