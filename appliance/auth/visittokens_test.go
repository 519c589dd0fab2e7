package auth_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"schalter/appliance"
	"schalter/appliance/auth"
	"schalter/appliance/store"
)

func TestVisitTokens(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	secret := []byte("0123456789abcdef0123456789abcdef")
	v := auth.NewVisitTokens(secret, h.store)
	ids := []appliance.VisitID{"00000000000000000000000000000001", "00000000000000000000000000000002"}
	for _, id := range ids {
		visit := appliance.Visit{
			ID: id, Version: 1, State: appliance.Waiting, Office: "bauamt", ArrivedAt: h.now(), WaitsFrom: h.now(),
			Legs: []appliance.Leg{{Office: "bauamt", From: h.now()}},
		}
		err := h.store.Write(t.Context(), []store.Entry{{
			Change: appliance.Change{At: h.now(), Action: "arrive", Visits: []appliance.Step[appliance.Visit]{{After: &visit}}},
			Token:  v.Hash(v.Token(id)),
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		token := v.Token(id)
		if b, err := base64.RawURLEncoding.DecodeString(token); err != nil || len(b) != 32 {
			t.Errorf("token %q: %v", token, err)
		}
		if got, err := v.Who(t.Context(), token); err != nil || got != id {
			t.Errorf("who: %q, %v", got, err)
		}
		if again := auth.NewVisitTokens(secret, h.store).Token(id); again != token {
			t.Error("the token is another one after a restart")
		}
	}
	other := auth.NewVisitTokens([]byte("another box's secret, 32 bytes.."), h.store)
	for _, token := range []string{
		other.Token(ids[0]), v.Token("00000000000000000000000000000003"), string(ids[0]), "", v.Token(ids[0]) + "=",
		v.Token(ids[0])[:42],
		strings.ToLower(v.Token(ids[0])), " " + v.Token(ids[0])[1:], string(v.Hash(v.Token(ids[0]))), h.in(t, "weber"), strings.Repeat("A", 1e6),
	} {
		if id, err := v.Who(t.Context(), token); id != "" || refusal(err) != (appliance.Error{Kind: appliance.Unauthorised, Code: "visit-token-unknown"}) {
			t.Errorf("%.50q: %q, %v", token, id, err)
		}
		gone(t, h.SignIns, v.Token(ids[0])) // nor is a visit's token a clerk's
	}
}

// one is a store with one visit.
type one struct {
	hash []byte
	id   appliance.VisitID
}

func (o one) VisitOf(_ context.Context, hash []byte) (appliance.VisitID, error) {
	if string(hash) == string(o.hash) {
		return o.id, nil
	}
	return "", &appliance.Error{Kind: appliance.NotFound, Code: "visit-unknown"}
}

// Of all words only the token itself opens.
func FuzzVisitToken(f *testing.F) {
	const id = appliance.VisitID("00000000000000000000000000000001")
	secret := []byte("0123456789abcdef0123456789abcdef")
	token := auth.NewVisitTokens(secret, nil).Token(id)
	v := auth.NewVisitTokens(secret, one{auth.NewVisitTokens(secret, nil).Hash(token), id})
	for _, s := range []string{token, token[:42], token + "A", strings.ToUpper(token), "", "\x00", strings.Repeat("_", 43), token[:42] + "\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := v.Who(t.Context(), s)
		if (s == token) != (err == nil && got == id) {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	})
}
