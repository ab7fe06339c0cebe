-- A pair is found by the instant it began; an index by the day as well only makes every new pair dearer. Counts of a
-- whole corp by the day of a period read most of the table either way.

drop index follow_added;
drop index follow_period_from;
