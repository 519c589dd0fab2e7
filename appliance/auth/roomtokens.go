package auth

import (
	"context"

	"schalter/appliance"
)

// RoomRows finds open rooms by the hash of one of their tokens. Unknown ones are NotFound.
type RoomRows interface {
	RoomOf(ctx context.Context, hash []byte) (appliance.RoomPass, error)
}

// RoomTokens finds out what a room's token opens.
type RoomTokens struct{ rows RoomRows }

// NewRoomTokens makes one.
func NewRoomTokens(rows RoomRows) *RoomTokens { return &RoomTokens{rows: rows} }

// NewRoomToken makes a token of 256 random bits, and the hash that is stored of it.
func NewRoomToken() (token string, hash []byte) {
	token = newToken()
	sum, _ := hashToken(token) // its form is right
	return token, sum[:]
}

// Who gives what a token opens, and the token's hash. An unknown one is Unauthorised.
func (r *RoomTokens) Who(ctx context.Context, token string) (appliance.RoomPass, []byte, error) {
	hash, ok := hashToken(token)
	if !ok {
		return appliance.RoomPass{}, nil, roomTokenUnknown()
	}
	pass, err := r.rows.RoomOf(ctx, hash[:])
	if kind(err) == appliance.NotFound {
		return appliance.RoomPass{}, nil, roomTokenUnknown()
	}
	return pass, hash[:], err
}

func roomTokenUnknown() error {
	return &appliance.Error{Kind: appliance.Unauthorised, Code: "token-wrong"}
}
