-- Rows without a value are not looked up by it, and most have none.

drop index contact_unionid;
create index contact_unionid on contact (corp_id, unionid) where unionid is not null;
drop index contact_phone;
create index contact_phone on contact (corp_id, phone_blind) where phone_blind is not null;
drop index follow_period_until;
create index follow_period_until on follow_period (corp_id, until_day) where until_day is not null;
