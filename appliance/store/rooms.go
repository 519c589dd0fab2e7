package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"schalter/appliance"
)

// PutRoom opens a room with the hashes of its two tokens. A room of that name that is open stays it, in its own spelling, and
// gets the new origins and tokens: the old ones open nothing any more. It gives the room as stored.
func (s *Store) PutRoom(ctx context.Context, room appliance.OpenRoom, publish, view []byte) (appliance.OpenRoom, error) {
	err := s.change(ctx, "open room", func(ctx context.Context, t *transaction) error {
		origins, err := list(room.Origins)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `INSERT INTO rooms (name, publish_hash, view_hash, origins, opened_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET publish_hash = excluded.publish_hash, view_hash = excluded.view_hash,
			origins = excluded.origins, opened_at = excluded.opened_at`,
			string(room.Name), publish, view, origins, room.OpenedAt.UnixMicro())
		if err != nil {
			return err
		}
		var count int
		err = t.tx.QueryRowContext(ctx, `SELECT count(*), (SELECT name FROM rooms WHERE name = ?) FROM rooms`, string(room.Name)).
			Scan(&count, &room.Name)
		if err != nil {
			return err
		}
		if count > appliance.MaxRooms {
			return &appliance.Error{Kind: appliance.Conflict, Code: "too-many-rooms"}
		}
		return t.audit(ctx, row{at: room.OpenedAt, role: appliance.TheHouse, action: "open_room"}, string(room.Name))
	})
	return room, err
}

// CloseRoom forgets a room and its tokens. One that is not open is NotFound.
func (s *Store) CloseRoom(ctx context.Context, name appliance.RoomName, at time.Time) error {
	return s.change(ctx, "close room", func(ctx context.Context, t *transaction) error {
		n, err := t.exec(ctx, `DELETE FROM rooms WHERE name = ?`, string(name))
		if err != nil {
			return err
		}
		if n != 1 {
			return roomUnknown()
		}
		return t.audit(ctx, row{at: at, role: appliance.TheHouse, action: "close_room"}, string(name))
	})
}

// Rooms lists the open rooms by name.
func (s *Store) Rooms(ctx context.Context) ([]appliance.OpenRoom, error) {
	var all []appliance.OpenRoom
	err := each(ctx, s.readers, func(scan func(...any) error) error {
		var r appliance.OpenRoom
		err := scan(&r.Name, words[string]{&r.Origins}, moment{&r.OpenedAt})
		all = append(all, r)
		return err
	}, `SELECT name, origins, opened_at FROM rooms ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("list rooms: %w", fault(err))
	}
	return all, nil
}

// Room finds an open room by its name. Another one is NotFound.
func (s *Store) Room(ctx context.Context, name appliance.RoomName) (appliance.OpenRoom, error) {
	var r appliance.OpenRoom
	err := s.readers.QueryRowContext(ctx, `SELECT name, origins, opened_at FROM rooms WHERE name = ?`, string(name)).
		Scan(&r.Name, words[string]{&r.Origins}, moment{&r.OpenedAt})
	if errors.Is(err, sql.ErrNoRows) {
		return r, roomUnknown()
	}
	if err != nil {
		return r, fmt.Errorf("look up room: %w", fault(err))
	}
	return r, nil
}

// RoomOf finds a room by the hash of one of its tokens, and what that token is for. An unknown one is NotFound.
func (s *Store) RoomOf(ctx context.Context, token []byte) (appliance.RoomPass, error) {
	p := appliance.RoomPass{Role: appliance.Viewer}
	var publishes bool
	err := s.readers.QueryRowContext(ctx, `SELECT name, origins, opened_at, publish_hash = ?1 FROM rooms
		WHERE publish_hash = ?1 OR view_hash = ?1`, token).
		Scan(&p.Room.Name, words[string]{&p.Room.Origins}, moment{&p.Room.OpenedAt}, &publishes)
	if errors.Is(err, sql.ErrNoRows) {
		return appliance.RoomPass{}, roomUnknown()
	}
	if err != nil {
		return appliance.RoomPass{}, fmt.Errorf("look up room's token: %w", fault(err))
	}
	if publishes {
		p.Role = appliance.RoomDevice
	}
	return p, nil
}

func roomUnknown() error { return &appliance.Error{Kind: appliance.NotFound, Code: "room-unknown"} }
