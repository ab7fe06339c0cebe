-- The departments a member is in, the main one first, as a JSON list; null: not read since this is kept. What a change
-- of the store rule would do to people is told by them.

alter table associate add column departments TEXT;
