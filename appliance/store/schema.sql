-- The result of all migrations, written by `go test ./appliance/store -run Schema -update`.

PRAGMA application_id = 0x5363686c;
PRAGMA user_version = 3;

CREATE TABLE answers (
  caller TEXT    NOT NULL,
  route  TEXT    NOT NULL,
  key    TEXT    NOT NULL,
  body   BLOB    NOT NULL CHECK (length(body) = 32), -- SHA-256 of the first request's body
  json   BLOB    NOT NULL,
  at     INTEGER NOT NULL,
  PRIMARY KEY (caller, route, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX answers_by_age ON answers (at);

CREATE TABLE audit (
  seq         INTEGER PRIMARY KEY,
  at          INTEGER NOT NULL,
  role        TEXT    NOT NULL,
  actor       TEXT    NOT NULL, -- id of the clerk or visit that asked; empty for the house itself
  action      TEXT    NOT NULL,
  visit       TEXT    NOT NULL,
  clerk       TEXT    NOT NULL, -- whom it is about, or who has the visit
  office      TEXT    NOT NULL,
  from_office TEXT    NOT NULL,
  from_state  TEXT    NOT NULL,
  to_state    TEXT    NOT NULL,
  version     INTEGER NOT NULL,
  reason      BLOB    CHECK (length(reason) = 32), -- SHA-256 of salt and text in table reasons
  previous    BLOB    NOT NULL CHECK (length(previous) = 32),
  hash        BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
BEGIN
  SELECT RAISE(ABORT, 'the audit log is never changed');
END;

CREATE TABLE audit_anchor (
  id   INTEGER PRIMARY KEY CHECK (id = 1),
  seq  INTEGER NOT NULL, -- of the last deleted row
  hash BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TABLE clerk_offices (
  clerk  TEXT    NOT NULL REFERENCES clerks (id) ON DELETE CASCADE,
  n      INTEGER NOT NULL,
  office TEXT    NOT NULL REFERENCES offices (id),
  PRIMARY KEY (clerk, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE clerk_roles (
  clerk TEXT    NOT NULL REFERENCES clerks (id) ON DELETE CASCADE,
  n     INTEGER NOT NULL,
  role  TEXT    NOT NULL CHECK (role <> 'house'), -- that one is given to nobody
  PRIMARY KEY (clerk, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE clerks (
  id       TEXT    PRIMARY KEY NOT NULL CHECK (id <> ''), -- the sign-in name
  name     TEXT    NOT NULL,
  title    TEXT    NOT NULL,
  disabled INTEGER NOT NULL CHECK (disabled IN (0, 1))
) STRICT;

CREATE UNIQUE INDEX clerks_by_name ON clerks (id COLLATE NOCASE);

CREATE TABLE desks (
  clerk TEXT PRIMARY KEY NOT NULL REFERENCES clerks (id) ON DELETE CASCADE,
  state TEXT NOT NULL CHECK (state IN ('available', 'pause')) -- busy follows from the visits
) STRICT;

CREATE TABLE legs (
  visit   TEXT    NOT NULL REFERENCES visits (id) ON DELETE CASCADE,
  n       INTEGER NOT NULL, -- from 0, oldest first
  office  TEXT    NOT NULL REFERENCES offices (id),
  from_at INTEGER NOT NULL,
  until   INTEGER,
  clerk   TEXT    REFERENCES clerks (id),
  reason  TEXT    NOT NULL,
  PRIMARY KEY (visit, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE notes (
  visit  TEXT    NOT NULL REFERENCES visits (id) ON DELETE CASCADE,
  n      INTEGER NOT NULL, -- from 0, oldest first
  at     INTEGER NOT NULL,
  clerk  TEXT    NOT NULL REFERENCES clerks (id),
  office TEXT    NOT NULL REFERENCES offices (id),
  text   TEXT    NOT NULL,
  PRIMARY KEY (visit, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE offices (
  id        TEXT    PRIMARY KEY NOT NULL CHECK (id <> ''),
  parent    TEXT    REFERENCES offices (id) DEFERRABLE INITIALLY DEFERRED,
  name      TEXT    NOT NULL,
  telephone TEXT    NOT NULL,
  closed    INTEGER NOT NULL CHECK (closed IN (0, 1)),
  opens_at  INTEGER,
  "limit"   INTEGER NOT NULL CHECK ("limit" >= 0), -- waiting visits at most; 0: no limit
  duration  INTEGER NOT NULL,
  bring     TEXT    NOT NULL CHECK (json_valid(bring)),
  "order"   INTEGER NOT NULL
) STRICT;

CREATE TABLE reasons (
  seq  INTEGER PRIMARY KEY REFERENCES audit (seq) ON DELETE CASCADE,
  at   INTEGER NOT NULL,
  visit TEXT   NOT NULL,
  salt BLOB    NOT NULL CHECK (length(salt) = 16),
  text TEXT    NOT NULL
) STRICT;

CREATE TABLE rooms (
  name         TEXT    PRIMARY KEY NOT NULL COLLATE NOCASE CHECK (name <> ''),
  publish_hash BLOB    NOT NULL UNIQUE CHECK (length(publish_hash) = 32), -- SHA-256 of the token; the token itself is never stored
  view_hash    BLOB    NOT NULL UNIQUE CHECK (length(view_hash) = 32),
  origins      TEXT    NOT NULL CHECK (json_valid(origins)), -- of foreign pages that may use the room
  opened_at    INTEGER NOT NULL,
  CHECK (publish_hash <> view_hash)
) STRICT;

CREATE TABLE secrets (
  clerk      TEXT    PRIMARY KEY NOT NULL REFERENCES clerks (id) ON DELETE CASCADE,
  password   TEXT    NOT NULL, -- Argon2id as a PHC string
  changed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE services (
  office   TEXT    NOT NULL REFERENCES offices (id) ON DELETE CASCADE,
  n        INTEGER NOT NULL, -- place in the office's list
  id       TEXT    NOT NULL,
  name     TEXT    NOT NULL,
  duration INTEGER NOT NULL,
  bring    TEXT    NOT NULL CHECK (json_valid(bring)),
  PRIMARY KEY (office, n),
  UNIQUE (office, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE sign_ins (
  hash     BLOB    PRIMARY KEY NOT NULL CHECK (length(hash) = 32), -- SHA-256 of the cookie's token
  clerk    TEXT    NOT NULL REFERENCES clerks (id) ON DELETE CASCADE,
  began_at INTEGER NOT NULL,
  seen_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX sign_ins_by_clerk ON sign_ins (clerk);

CREATE TABLE special_days (
  office TEXT REFERENCES offices (id) ON DELETE CASCADE, -- NULL: every office
  first  TEXT NOT NULL CHECK (date(first) IS first),
  last   TEXT NOT NULL CHECK (date(last) IS last AND last >= first),
  hours  TEXT NOT NULL CHECK (json_valid(hours)), -- [] is closed all day
  why    TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX special_days_by_office ON special_days (ifnull(office, ''), first);

CREATE TABLE sweeps (
  at    INTEGER NOT NULL,
  class TEXT    NOT NULL,
  count INTEGER NOT NULL CHECK (count >= 0),
  PRIMARY KEY (at, class)
) STRICT, WITHOUT ROWID;

CREATE TABLE talks (
  id       INTEGER PRIMARY KEY,
  office   TEXT    NOT NULL REFERENCES offices (id) ON DELETE CASCADE,
  at       INTEGER NOT NULL,
  duration INTEGER NOT NULL CHECK (duration > 0)
) STRICT;

CREATE INDEX talks_by_office ON talks (office, id);

CREATE TABLE town (
  id        INTEGER PRIMARY KEY CHECK (id = 1), -- there is one
  name      TEXT    NOT NULL,
  kind      TEXT    NOT NULL,
  telephone TEXT    NOT NULL,
  notice    INTEGER NOT NULL
, land TEXT NOT NULL DEFAULT '') STRICT;

CREATE TABLE visits (
  id         TEXT    PRIMARY KEY NOT NULL CHECK (id <> ''),
  token_hash BLOB    UNIQUE CHECK (length(token_hash) = 32), -- SHA-256 of the token; the token itself is never stored
  version    INTEGER NOT NULL CHECK (version >= 1),
  state      TEXT    NOT NULL CHECK (state IN ('waiting', 'called', 'talking', 'parked', 'done', 'left', 'no_show')),
  office     TEXT    NOT NULL REFERENCES offices (id),
  name       TEXT    NOT NULL,
  matter     TEXT    NOT NULL,
  needs      TEXT    NOT NULL CHECK (json_valid(needs)),
  notice     INTEGER NOT NULL,
  arrived_at INTEGER NOT NULL,
  waits_from INTEGER NOT NULL,
  clerk      TEXT    REFERENCES clerks (id),
  called_at  INTEGER,
  call_ends  INTEGER,
  more       INTEGER NOT NULL CHECK (more IN (0, 1)),
  talks_at   INTEGER,
  parked_at  INTEGER,
  misses     INTEGER NOT NULL,
  missed_at  INTEGER,
  front      INTEGER NOT NULL CHECK (front IN (0, 1)),
  transfers  INTEGER NOT NULL,
  outcome    TEXT    CHECK (outcome IN ('done', 'sent_away', 'no_show', 'follow_up')),
  ended_at   INTEGER
) STRICT;

CREATE INDEX visits_ended ON visits (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE week_hours (
  office  TEXT    NOT NULL REFERENCES offices (id) ON DELETE CASCADE,
  weekday INTEGER NOT NULL CHECK (weekday BETWEEN 0 AND 6), -- 0 is Sunday
  opens   INTEGER NOT NULL CHECK (opens >= 0),
  closes  INTEGER NOT NULL CHECK (closes > opens AND closes <= 1440),
  PRIMARY KEY (office, weekday, opens)
) STRICT, WITHOUT ROWID;
