-- The newest links that people made themselves: those of broadcasts and moments are many times as many.
create index link_own on link (corp_id, id) where campaign_id is null and moment_id is null;
