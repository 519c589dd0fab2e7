package auth_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"schalter/appliance"
)

// wrong tries a wrong password and tells whether it was tried rather than throttled.
func (h *house) wrong(t *testing.T, name, network string) bool {
	t.Helper()
	_, _, err := h.SignIn(t.Context(), name, "geraten", network)
	switch refusal(err).Kind {
	case appliance.Unauthorised:
		return true
	case appliance.TooMany:
		if refusal(err).Wait <= 0 {
			t.Error("no time to wait is told")
		}
		return false
	}
	t.Fatalf("%s from %s: %v", name, network, err)
	return false
}

// A thousand wrong passwords for one account from one network: ten are tried, then one in a while; the clerk gets in
// from elsewhere all the time.
func TestGuessingOneAccount(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	tried := 0
	for i := range 1000 {
		if h.wrong(t, "weber", strange) {
			tried++
		}
		if i%100 == 0 {
			h.in(t, "weber")
		}
	}
	if tried != 10 {
		t.Errorf("%d were tried", tried)
	}
	_, _, err := h.SignIn(t.Context(), "WEBER ", password, strange)
	wait := refusal(err).Wait
	if refusal(err).Kind != appliance.TooMany || wait <= 0 || wait > 90*time.Second { // ten in 15 minutes
		t.Errorf("the right password after the tenth wrong one: %v, wait %v", err, wait)
	}
	h.pass(wait - time.Millisecond)
	if h.wrong(t, "weber", strange) {
		t.Error("tried before the wait was over")
	}
	h.pass(time.Millisecond)
	if !h.wrong(t, "weber", strange) {
		t.Error("not tried after the wait that was told")
	}
	if !h.wrong(t, "haas", strange) {
		t.Error("the account next door is shut too")
	}
}

// Guessing from many networks is slowed down too, and shuts the clerk out neither of the town hall nor of the network
// at home that was used before.
func TestGuessingFromEverywhere(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if _, _, err := h.SignIn(t.Context(), "weber", password, home); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for i := range 200 {
		if h.wrong(t, "weber", fmt.Sprintf("100.%d.0.0/24", i)) {
			tried++
		}
	}
	if tried != 30 {
		t.Errorf("%d of 200 were tried", tried)
	}
	for _, network := range []string{lan, home} {
		if _, _, err := h.SignIn(t.Context(), "weber", password, network); err != nil {
			t.Errorf("the clerk from %s: %v", network, err)
		}
	}
	if _, _, err := h.SignIn(t.Context(), "weber", password, strange); refusal(err).Kind != appliance.TooMany {
		t.Errorf("the right password from a strange network: %v", err)
	}
	h.pass(time.Hour)
	if _, _, err := h.SignIn(t.Context(), "weber", password, strange); err != nil {
		t.Errorf("an hour later: %v", err)
	}
}

// One password tried on many accounts.
func TestSpraying(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	tried := 0
	for i := range 100 {
		if h.wrong(t, fmt.Sprint("name", i), strange) {
			tried++
		}
	}
	if tried != 20 {
		t.Errorf("%d were tried", tried)
	}
	h.in(t, "weber")
}

// Only failures count: a whole town hall behind one address signs in, and a good sign-in forgives the slips before it.
func TestGoodSignInsCostNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for range 25 {
		h.in(t, "weber")
	}
	for range 3 {
		for range 5 {
			if !h.wrong(t, "weber", home) {
				t.Fatal("throttled")
			}
		}
		if _, _, err := h.SignIn(t.Context(), "weber", password, home); err != nil {
			t.Fatal(err)
		}
	}
}

// What could not be tried does not count.
func TestUntriedDoesNotCount(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		if _, _, err := h.SignIn(ctx, "weber", password, strange); err == nil || refusal(err).Kind == appliance.TooMany {
			t.Fatalf("sign-in that nobody waits for: %v", err)
		}
	}
	if _, _, err := h.SignIn(t.Context(), "weber", password, strange); err != nil {
		t.Error(err)
	}
}
