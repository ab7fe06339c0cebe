-- Who has a value of a field: what segments ask. Whose value it is comes last, so that the index alone answers.
create index contact_value_field on contact_value (corp_id, field_id, value, contact_id);
