package media

import (
	"strings"
)

// asker is a port that asks the other side for consent before packets leave (RFC 7675), as package port does. An ICE-lite
// agent asks nobody, and without it a seat could have its media sent to somebody else, by checks with a forged source.
type asker interface {
	Consent(ufrag, remoteUfrag, remotePassword string)
}

// ask lets the port ask for consent in the name of a connection whose two descriptions are in place.
func (e *engine) ask(c *connection) {
	port, ok := e.mux.(asker)
	theirs := c.pc.RemoteDescription()
	if !ok || theirs == nil {
		return
	}
	// An error means that there is no transport of our own yet, so no address either that could be asked.
	if own, err := c.pc.SCTP().Transport().ICETransport().GetLocalParameters(); err == nil {
		port.Consent(own.UsernameFragment, first(theirs.SDP, "a=ice-ufrag:"), first(theirs.SDP, "a=ice-pwd:"))
	}
}

// first is the value of the first line with a prefix, in a description that we wrote ourselves.
func first(sdp, prefix string) string {
	for line := range strings.Lines(sdp) {
		if value, ok := strings.CutPrefix(line, prefix); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
