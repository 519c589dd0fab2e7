-- Rooms that an operator opened for encoders and viewers. They stay over a restart, so that an encoder in the hall comes
-- back by itself.
CREATE TABLE rooms (
  name         TEXT    PRIMARY KEY NOT NULL COLLATE NOCASE CHECK (name <> ''),
  publish_hash BLOB    NOT NULL UNIQUE CHECK (length(publish_hash) = 32), -- SHA-256 of the token; the token itself is never stored
  view_hash    BLOB    NOT NULL UNIQUE CHECK (length(view_hash) = 32),
  origins      TEXT    NOT NULL CHECK (json_valid(origins)), -- of foreign pages that may use the room
  opened_at    INTEGER NOT NULL,
  CHECK (publish_hash <> view_hash)
) STRICT;
