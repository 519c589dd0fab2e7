package store

import (
	"slices"
	"testing"
	"time"

	"schalter/appliance"
)

func TestSignInRows(t *testing.T) {
	t.Parallel()
	s := filled(t)
	add, there := signInHelp(t, s)
	one, two, other := add(1, "weber"), add(2, "weber"), add(3, "oezdemir")
	in, clerk, err := s.SignIn(t.Context(), other)
	if err != nil || in != (appliance.SignIn{Hash: other, Clerk: "oezdemir", BeganAt: noon, SeenAt: noon}) {
		t.Errorf("sign-in %+v, %v", in, err)
	}
	if want := sample().Clerks[0]; clerk.Name != want.Name || len(clerk.Roles) != 2 || clerk.Roles[0] != want.Roles[0] || clerk.Offices[1] != want.Offices[1] {
		t.Errorf("clerk %+v, want %+v", clerk, want)
	}
	later := noon.Add(time.Second)
	for _, at := range []time.Time{later, noon} { // being seen never goes back
		if err := s.TouchSignIn(t.Context(), one, at); err != nil {
			t.Fatal(err)
		}
	}
	if in, _, err = s.SignIn(t.Context(), one); err != nil || !in.SeenAt.Equal(later) {
		t.Errorf("seen at %v, %v", in.SeenAt, err)
	}
	if err := s.EndSignIn(t.Context(), one, noon); err != nil || there(one) || !there(two) {
		t.Errorf("one ended: %v", err)
	}
	if err := s.EndSignIn(t.Context(), one, noon); err != nil {
		t.Errorf("ended again: %v", err)
	}
	one = add(1, "weber")
	ended, err := s.EndSignIns(t.Context(), "weber", noon)
	if err != nil || len(ended) != 2 || !slices.Contains(ended, one) || !slices.Contains(ended, two) || there(one) || there(two) || !there(other) {
		t.Errorf("all of one clerk ended: %x, %v", ended, err)
	}
}

// signInHelp gives what both tests do: sign in, and look who is.
func signInHelp(t *testing.T, s *Store) (add func(byte, appliance.ClerkID) [32]byte, there func([32]byte) bool) {
	t.Helper()
	add = func(n byte, clerk appliance.ClerkID) [32]byte {
		t.Helper()
		in := appliance.SignIn{Hash: [32]byte{n}, Clerk: clerk, BeganAt: noon, SeenAt: noon}
		if err := s.AddSignIn(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		return in.Hash
	}
	there = func(hash [32]byte) bool {
		t.Helper()
		_, _, err := s.SignIn(t.Context(), hash)
		if err != nil && kindOf(err) != appliance.NotFound {
			t.Fatal(err)
		}
		return err == nil
	}
	return add, there
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	s := filled(t)
	secret, err := s.Secret(t.Context(), "WEBER")
	if err != nil || secret != (appliance.Secret{Clerk: "weber", Password: "$hash-weber"}) {
		t.Errorf("secret %+v, %v", secret, err)
	}
	if secret, err = s.Secret(t.Context(), "wer-ging"); err != nil || secret != (appliance.Secret{Clerk: "wer-ging", Disabled: true}) {
		t.Errorf("secret of a disabled clerk %+v, %v", secret, err)
	}
	if _, err = s.Secret(t.Context(), "niemand"); kindOf(err) != appliance.NotFound {
		t.Errorf("secret of nobody: %v", err)
	}
	add, there := signInHelp(t, s)
	other := add(3, "oezdemir")
	// A password hashed anew signs nobody out; a fresh one everybody of that name.
	if err := s.SetSecret(t.Context(), "oezdemir", "$anew", false, noon); err != nil || !there(other) {
		t.Errorf("hashed anew: %v", err)
	}
	if err := s.SetSecret(t.Context(), "oezdemir", "$fresh", true, noon); err != nil || there(other) {
		t.Errorf("fresh: %v", err)
	}
	if secret, err = s.Secret(t.Context(), "oezdemir"); err != nil || secret.Password != "$fresh" {
		t.Errorf("secret %+v, %v", secret, err)
	}
	if err := s.SetSecret(t.Context(), "niemand", "$x", true, noon); kindOf(err) != appliance.NotFound {
		t.Errorf("secret of nobody: %v", err)
	}
	// Disabling signs out with the same change.
	one := add(1, "weber")
	before := sample().Clerks[1]
	after := before
	after.Disabled = true
	write(t, s, Entry{Change: appliance.Change{At: noon, Action: "put_clerk", Clerks: []appliance.Step[appliance.Clerk]{{Before: &before, After: &after}}}})
	if there(one) {
		t.Error("a disabled clerk is signed in")
	}
	// A name in another case is the same name.
	twin := appliance.Clerk{ID: "Weber"}
	if err := s.Write(t.Context(), []Entry{{Change: appliance.Change{At: noon, Clerks: []appliance.Step[appliance.Clerk]{{After: &twin}}}}}); err == nil {
		t.Error("two clerks with one name")
	}
}
