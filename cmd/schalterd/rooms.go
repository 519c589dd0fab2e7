package main

import (
	"net/http"

	"schalter/appliance"
	"schalter/appliance/auth"
	"schalter/web/control"
)

// openRoom opens a room for WHIP and WHEP, or gives an open one new tokens. They are told this once: only hashes are kept.
func (o *operator) openRoom(r *http.Request) (control.OpenedRoom, error) {
	var wish control.RoomWish
	if err := decode(r, &wish); err != nil {
		return control.OpenedRoom{}, err
	}
	publish, publishHash := auth.NewRoomToken()
	view, viewHash := auth.NewRoomToken()
	room, err := o.hall.OpenRoom(r.Context(), appliance.OpenRoom{Name: appliance.RoomName(wish.Room), Origins: wish.Origins}, publishHash, viewHash)
	if err != nil {
		return control.OpenedRoom{}, err
	}
	return control.OpenedRoom{Room: string(room.Name), PublishToken: publish, ViewToken: view}, nil
}

func (o *operator) closeRoom(r *http.Request) (control.RoomWish, error) {
	var wish control.RoomWish
	if err := decode(r, &wish); err != nil {
		return wish, err
	}
	return control.RoomWish{Room: wish.Room}, o.hall.CloseRoom(r.Context(), appliance.RoomName(wish.Room))
}

func (o *operator) rooms(r *http.Request) ([]control.Room, error) {
	open, err := o.hall.OpenRooms(r.Context())
	if err != nil {
		return nil, err
	}
	all := make([]control.Room, 0, len(open)) // [] in JSON, not null
	for _, l := range open {
		all = append(all, control.Room{Room: string(l.Name), Origins: append([]string{}, l.Origins...), OpenedAt: l.OpenedAt,
			Publishers: l.Publishers, Viewers: l.Viewers})
	}
	return all, nil
}
