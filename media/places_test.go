package media

import (
	"net"
	"testing"

	"github.com/pion/stun"
)

// A seat that signs checks from ever more addresses makes the agent keep no more than so many; whoever cannot sign uses up
// none of them.
func TestAddressesOfASeatAreBounded(t *testing.T) {
	const password = "of this connection"
	check := func(password string) []byte {
		m, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername("ours:theirs"),
			stun.NewShortTermIntegrity(password), stun.Fingerprint)
		if err != nil {
			t.Fatal(err)
		}
		return m.Raw
	}
	at := func(port int) net.Addr { return &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: port} }
	p := newPlaces(password)
	for port := range 2000 {
		if p.admits(check("another"), at(port+1)) {
			t.Fatal("a check with another password is admitted")
		}
	}
	genuine, admitted := check(password), 0
	for port := range 2000 {
		if p.admits(genuine, at(port+1)) {
			admitted++
		}
	}
	if admitted != maxPlaces || len(p.known) != maxPlaces {
		t.Errorf("%d addresses were admitted, %d are kept; want %d", admitted, len(p.known), maxPlaces)
	}
	if !p.admits(genuine, at(1)) {
		t.Error("an address that is known is not admitted any more")
	}
	answer, err := stun.Build(stun.BindingSuccess, stun.TransactionID, stun.NewShortTermIntegrity(password))
	if err != nil {
		t.Fatal(err)
	}
	if !p.admits(answer.Raw, at(40_000)) {
		t.Error("what is no check is none of its business")
	}
}
