-- When offices take people in. Minutes count from midnight by the clock on the wall of the town; 1440 is midnight.
ALTER TABLE town ADD COLUMN land TEXT NOT NULL DEFAULT ''; -- whose public holidays close the house; empty: none

CREATE TABLE week_hours (
  office  TEXT    NOT NULL REFERENCES offices (id) ON DELETE CASCADE,
  weekday INTEGER NOT NULL CHECK (weekday BETWEEN 0 AND 6), -- 0 is Sunday
  opens   INTEGER NOT NULL CHECK (opens >= 0),
  closes  INTEGER NOT NULL CHECK (closes > opens AND closes <= 1440),
  PRIMARY KEY (office, weekday, opens)
) STRICT, WITHOUT ROWID;

-- Days that differ from the week, of one office or of the whole house.
CREATE TABLE special_days (
  office TEXT REFERENCES offices (id) ON DELETE CASCADE, -- NULL: every office
  first  TEXT NOT NULL CHECK (date(first) IS first),
  last   TEXT NOT NULL CHECK (date(last) IS last AND last >= first),
  hours  TEXT NOT NULL CHECK (json_valid(hours)), -- [] is closed all day
  why    TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX special_days_by_office ON special_days (ifnull(office, ''), first);
