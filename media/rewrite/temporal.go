package rewrite

// Temporal is a packet's place among the temporal layers of its stream. The zero value is good for a stream that has none,
// or says nothing of them: all of it is the base layer.
type Temporal struct {
	Layer  uint8 // 0 is the base, that all others build on
	Starts bool  // the first packet of a picture
	// Who has had all layers up to From can be given those up to To, from this picture on. To 0: nobody more than before.
	From, To uint8
}

// AllTemporal is higher than any temporal layer.
const AllTemporal = 7

// VP9 is what a VP9 payload says about itself before the picture (RFC 9628, section 4.2), as far as it is used here. Its
// picture numbers are never rewritten: they say what a picture builds on, and may have holes where an upper temporal layer
// is left out.
type VP9 struct {
	Inter     bool  // predicted from pictures before it
	Begins    bool  // the first packet of a frame, which is one spatial layer of a picture
	Ends      bool  // the last packet of a frame
	Layered   bool  // the layers are named
	Up        bool  // from here on higher temporal layers build on nothing above this picture's that is older
	Temporal  uint8 // layer
	Spatial   uint8 // layer
	Dependent bool  // predicted from the spatial layer below, too
}

// ParseVP9 reads the descriptor as far as the layers; false when the payload ends before.
func ParseVP9(p []byte) (VP9, bool) {
	if len(p) < 2 {
		return VP9{}, false
	}
	d := VP9{Inter: p[0]&0x40 != 0, Layered: p[0]&0x20 != 0, Begins: p[0]&0x08 != 0, Ends: p[0]&0x04 != 0}
	at := 1
	if p[0]&0x80 != 0 { // I: picture id of 7 bits or 15
		at += 1 + int(p[1]>>7)
	}
	if at >= len(p) {
		return VP9{}, false
	}
	if d.Layered { // the same octet in flexible mode and without
		l := p[at]
		d.Temporal, d.Up, d.Spatial, d.Dependent = l>>5, l&0x10 != 0, l>>1&0x07, l&0x01 != 0
	}
	return d, true
}

// Key tells whether a picture begins here that builds on none before it.
func (d VP9) Key() bool { return !d.Inter && d.Begins && d.Spatial == 0 }

// Time is the packet's place among the temporal layers.
func (d VP9) Time() Temporal {
	t := Temporal{Layer: d.Temporal, Starts: d.Begins && d.Spatial == 0}
	if d.Up && d.Temporal < AllTemporal {
		t.From, t.To = d.Temporal, AllTemporal
	}
	return t
}
