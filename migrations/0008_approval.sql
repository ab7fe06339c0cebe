-- What an approval was for: who wrote the draft last, the segment as it read, and how many would get it.

alter table campaign add column changed_by TEXT;
alter table campaign add column approved_segment_version BIGINT;
alter table campaign add column approved_eligible BIGINT;
