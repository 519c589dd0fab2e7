package rewrite

// Descriptor is what a VP8 payload says about itself before the picture (RFC 7741, section 4.2), with the places of
// the numbers that are rewritten. Places are -1 for fields that are not there.
type Descriptor struct {
	Size      int    // octets of the descriptor; the picture follows
	Starts    bool   // the first packet of a frame's first partition
	KeyFrame  bool   // of a key frame; known only where Starts
	PictureAt int    // place of the picture id
	Wide      bool   // the picture id has 15 bits, not 7
	Picture   uint16 // the picture id
	LayerAt   int    // place of TL0PICIDX
	Layer     uint8  // TL0PICIDX
	KeyAt     int    // place of the octet with TID, Y and KEYIDX; KEYIDX is its low five bits
	HasKey    bool   // KEYIDX is used
	Key       uint8  // KEYIDX
	Time      Temporal
}

// ParseVP8 reads the descriptor; false when the payload ends within it or carries no picture.
func ParseVP8(p []byte) (Descriptor, bool) {
	d := Descriptor{PictureAt: -1, LayerAt: -1, KeyAt: -1, Size: 1}
	if len(p) < 1 {
		return d, false
	}
	d.Starts = p[0]&0x10 != 0 && p[0]&0x0F == 0
	if p[0]&0x80 != 0 && !d.extension(p) {
		return d, false
	}
	if d.Size >= len(p) {
		return d, false
	}
	// RFC 6386, section 9.1: the inverse key frame flag is the lowest bit of the first octet.
	d.KeyFrame = d.Starts && p[d.Size]&0x01 == 0
	d.Time.Starts = d.Starts
	return d, true
}

// extension reads the octets that the X bit announces.
func (d *Descriptor) extension(p []byte) bool {
	if len(p) < 2 {
		return false
	}
	has := p[1]
	d.Size = 2
	if has&0x80 != 0 { // I: picture id
		if d.Size >= len(p) {
			return false
		}
		d.PictureAt = d.Size
		if p[d.Size]&0x80 != 0 {
			if d.Size+1 >= len(p) {
				return false
			}
			d.Wide = true
			d.Picture = uint16(p[d.Size]&0x7F)<<8 | uint16(p[d.Size+1])
			d.Size += 2
		} else {
			d.Picture = uint16(p[d.Size])
			d.Size++
		}
	}
	if has&0x40 != 0 { // L: TL0PICIDX
		if d.Size >= len(p) {
			return false
		}
		d.LayerAt, d.Layer = d.Size, p[d.Size]
		d.Size++
	}
	if has&0x30 != 0 { // T or K: their common octet
		if d.Size >= len(p) {
			return false
		}
		d.KeyAt, d.HasKey, d.Key = d.Size, has&0x10 != 0, p[d.Size]&0x1F
		if has&0x20 != 0 { // T: the temporal layer in the upper two bits, then Y
			d.Time.Layer = p[d.Size] >> 6
			if p[d.Size]&0x20 != 0 {
				// This picture builds on the base layer alone, and none after it on anything else that is older.
				d.Time.To = d.Time.Layer
			}
		}
		d.Size++
	}
	return true
}

// Shift is by how much a source's picture numbers are moved. The zero value changes nothing.
type Shift struct {
	Picture uint16
	Layer   uint8
	Key     uint8
}

// Apply writes the moved numbers into the payload, each in the width it has.
func (s Shift) Apply(p []byte, d Descriptor) {
	if d.PictureAt >= 0 {
		n := d.Picture + s.Picture
		if d.Wide {
			p[d.PictureAt] = 0x80 | byte(n>>8)&0x7F
			p[d.PictureAt+1] = byte(n)
		} else {
			p[d.PictureAt] = byte(n) & 0x7F
		}
	}
	if d.LayerAt >= 0 {
		p[d.LayerAt] = d.Layer + s.Layer
	}
	if d.KeyAt >= 0 && d.HasKey {
		p[d.KeyAt] = p[d.KeyAt]&0xE0 | (d.Key+s.Key)&0x1F
	}
}

// VP8 keeps picture numbers running on when another source takes over, or pictures are left out.
type VP8 struct {
	shift Shift
	last  Shift // the newest numbers that left
	used  bool
}

// Begin starts a source with its first picture. The very first source keeps its own numbers.
func (v *VP8) Begin(d Descriptor) {
	if !v.used {
		return
	}
	v.shift = Shift{
		Picture: v.last.Picture + 1 - d.Picture,
		Layer:   v.last.Layer + 1 - d.Layer,
		Key:     v.last.Key + 1 - d.Key,
	}
}

// Map gives the shift for a picture of the current source, of which so many before it were left out, and notes what leaves.
func (v *VP8) Map(d Descriptor, gone uint16) Shift {
	shift := v.Shift(gone)
	out := Shift{Picture: d.Picture + shift.Picture, Layer: d.Layer + shift.Layer, Key: d.Key + shift.Key}
	if !v.used || int16((out.Picture-v.last.Picture)<<1) > 0 { // compared in 15 bits
		v.last, v.used = out, true
	}
	return shift
}

// Shift is the current source's for a picture before which so many were left out. The base layer is never left out, nor is
// a key frame: their numbers run on by themselves.
func (v *VP8) Shift(gone uint16) Shift {
	shift := v.shift
	shift.Picture -= gone
	return shift
}
