package store

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"testing"
	"time"

	"schalter/appliance"
)

func sum(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

func TestRooms(t *testing.T) {
	t.Parallel()
	s := filled(t)
	path := s.path
	saal := appliance.OpenRoom{Name: "Saal", Origins: []string{"https://www.lindenau.example"}, OpenedAt: noon}
	put := func(r appliance.OpenRoom, publish, view string) appliance.OpenRoom {
		t.Helper()
		got, err := s.PutRoom(t.Context(), r, sum(publish), sum(view))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := put(saal, "p1", "v1"); !reflect.DeepEqual(got, saal) {
		t.Fatalf("opened %+v", got)
	}
	put(appliance.OpenRoom{Name: "trauzimmer", OpenedAt: noon}, "p2", "v2")
	opens := func(token string, want appliance.RoomPass, code string) {
		t.Helper()
		got, err := s.RoomOf(t.Context(), sum(token))
		if codeOf(err) != code || code == "" && !reflect.DeepEqual(got, want) {
			t.Errorf("token %s opens %+v, %v; want %+v, %q", token, got, err, want, code)
		}
	}
	opens("p1", appliance.RoomPass{Room: saal, Role: appliance.RoomDevice}, "")
	opens("v1", appliance.RoomPass{Room: saal, Role: appliance.Viewer}, "")
	opens("x", appliance.RoomPass{}, "room-unknown")

	// Opened again under any spelling: the same room, the old tokens void.
	again := put(appliance.OpenRoom{Name: "SAAL", OpenedAt: noon.Add(time.Hour)}, "p3", "v3")
	want := appliance.OpenRoom{Name: "Saal", OpenedAt: noon.Add(time.Hour)}
	if !reflect.DeepEqual(again, want) {
		t.Errorf("opened again: %+v", again)
	}
	opens("p1", appliance.RoomPass{}, "room-unknown")
	opens("v1", appliance.RoomPass{}, "room-unknown")
	opens("p3", appliance.RoomPass{Room: want, Role: appliance.RoomDevice}, "")

	// All of it survives a restart.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path)
	all, err := s.Rooms(t.Context())
	if err != nil || len(all) != 2 || !reflect.DeepEqual(all[0], want) || all[1].Name != "trauzimmer" {
		t.Fatalf("rooms %+v, %v", all, err)
	}
	if got, err := s.Room(t.Context(), "saal"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("found %+v, %v", got, err)
	}
	if err := s.CloseRoom(t.Context(), "saal", noon); err != nil {
		t.Fatal(err)
	}
	opens("p3", appliance.RoomPass{}, "room-unknown")
	if _, err := s.Room(t.Context(), "saal"); codeOf(err) != "room-unknown" {
		t.Errorf("a closed room: %v", err)
	}
	if err := s.CloseRoom(t.Context(), "saal", noon); codeOf(err) != "room-unknown" {
		t.Errorf("closed twice: %v", err)
	}
	if _, err := s.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTooManyRooms(t *testing.T) {
	t.Parallel()
	s := filled(t)
	open := func(i int, token string) error {
		_, err := s.PutRoom(t.Context(), appliance.OpenRoom{Name: appliance.RoomName(fmt.Sprint("raum-", i)), OpenedAt: noon},
			sum(fmt.Sprint("p", token, i)), sum(fmt.Sprint("v", token, i)))
		return err
	}
	for i := range appliance.MaxRooms {
		if err := open(i, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := open(appliance.MaxRooms, ""); codeOf(err) != "too-many-rooms" {
		t.Errorf("one too many: %v", err)
	}
	if err := open(0, "again"); err != nil {
		t.Errorf("an open room, again: %v", err)
	}
}
