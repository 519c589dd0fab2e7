package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"schalter/appliance"
)

// oneRoom is a table with one room.
type oneRoom struct {
	hash  []byte
	fault error
	asked int
}

func (o *oneRoom) RoomOf(_ context.Context, hash []byte) (appliance.RoomPass, error) {
	o.asked++
	if o.fault != nil {
		return appliance.RoomPass{}, o.fault
	}
	if !bytes.Equal(hash, o.hash) {
		return appliance.RoomPass{}, &appliance.Error{Kind: appliance.NotFound, Code: "room-unknown"}
	}
	return appliance.RoomPass{Room: appliance.OpenRoom{Name: "saal"}, Role: appliance.Viewer}, nil
}

func TestRoomTokens(t *testing.T) {
	t.Parallel()
	token, hash := NewRoomToken()
	other, _ := NewRoomToken()
	if sum := sha256.Sum256([]byte(token)); !bytes.Equal(sum[:], hash) || other == token || len(token) != tokenLength {
		t.Fatal("a token and its hash do not go together, or two are the same")
	}
	rows := &oneRoom{hash: hash}
	tokens := NewRoomTokens(rows)
	pass, got, err := tokens.Who(t.Context(), token)
	if err != nil || pass.Room.Name != "saal" || pass.Role != appliance.Viewer || !bytes.Equal(got, hash) {
		t.Errorf("%+v, %v", pass, err)
	}
	if _, _, err := tokens.Who(t.Context(), other); kind(err) != appliance.Unauthorised {
		t.Errorf("an unknown token: %v", err)
	}
	asked := rows.asked
	for _, wrong := range []string{"", token + "x", strings.Repeat("ä", 43), token[1:]} {
		if _, _, err := tokens.Who(t.Context(), wrong); kind(err) != appliance.Unauthorised {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if rows.asked != asked {
		t.Error("what cannot be a token was looked up")
	}
	rows.fault = errors.New("disk gone")
	if _, _, err := tokens.Who(t.Context(), token); !errors.Is(err, rows.fault) {
		t.Errorf("a fault: %v", err)
	}
}
