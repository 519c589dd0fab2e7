package media

// asker is a port that asks the other side for consent before packets leave (RFC 7675), as package port does. An ICE-lite
// agent asks nobody, and without it a seat could have its media sent to somebody else, by checks with a forged source.
type asker interface {
	Consent(ufrag, remoteUfrag, remotePassword string)
}

// ask lets the port ask for consent in the name of a connection whose two descriptions are in place.
func (e *engine) ask(c *connection) {
	if port, ok := e.mux.(asker); ok {
		port.Consent(c.ours.ufrag, c.theirs.ufrag, c.theirs.password)
	}
}
