-- Customer groups 客户群 and who is in them since when; and, for the sync's parts, of which step they are.

create table customer_group (
  corp_id      BIGINT NOT NULL,
  id           BIGINT NOT NULL,
  chat_id      TEXT NOT NULL,
  -- May be empty: people see the members' names then. Empty too while nobody has read the group.
  name         TEXT NOT NULL,
  notice       TEXT NOT NULL,
  -- Folded to lower case, as associate.userid. The owner may have left, or be nobody we know.
  owner_userid TEXT NOT NULL,
  -- normal, owner_left, inheriting, inherited, unknown
  status       TEXT NOT NULL,
  created_at   BIGINT NOT NULL,
  -- When the reading began that the row stands by; 0: listed, not read yet.
  seen_at      BIGINT NOT NULL,
  -- The last sync that found it in a list began then.
  listed_at    BIGINT NOT NULL,
  ended_at     BIGINT,
  -- dismissed (an event said so), unseen (the platform does not show it any more)
  ended_cause  TEXT,
  PRIMARY KEY (corp_id, id)
);
create unique index customer_group_chat on customer_group (corp_id, chat_id);

-- Every stretch somebody was in a group; a row is closed, never deleted.
create table group_member (
  corp_id    BIGINT NOT NULL,
  id         BIGINT NOT NULL,
  group_id   BIGINT NOT NULL,
  -- A userid folded to lower case, or an external_userid, whether anybody's customer or not.
  member     TEXT NOT NULL,
  -- 1 a member of the corp, 2 a person from outside
  kind       BIGINT NOT NULL,
  unionid    TEXT,
  joined_at  BIGINT NOT NULL,
  -- 1 invited, 2 by an invitation's link, 3 by a code
  join_scene BIGINT NOT NULL,
  -- Of the join way
  channel    TEXT NOT NULL,
  invitor    TEXT,
  left_at    BIGINT,
  -- left, removed (an event said so), unseen (a reading did not show them any more), ended (the group did)
  left_cause TEXT,
  PRIMARY KEY (corp_id, id)
);
create unique index group_member_open on group_member (corp_id, group_id, member) where left_at is null;
create index group_member_stretch on group_member (corp_id, group_id, member, joined_at);
create index group_member_who on group_member (corp_id, member, left_at);

alter table sync_part add column step TEXT NOT NULL DEFAULT 'contacts';
