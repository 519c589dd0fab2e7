package media

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits of a browser's description. A browser's own for eight tracks is some 20 KiB.
const (
	maxDescription = 64 << 10
	maxSections    = 8 // of what a browser publishes
	maxLine        = 1024
	maxFormats     = 64
	maxSources     = 8 // SSRCs in one section: media and its repair, for every layer and one to be generous
	maxLayers      = 3 // simulcast streams of one section
)

// errDescription is wrapped by every refusal of a description.
var errDescription = errors.New("description refused")

// description is what we take from a session description, and all that we put into one. A browser's text never
// reaches the library: it is read into this, and what the library gets is written from this. So candidates, ice-lite,
// simulcast lists and whatever else a hostile page writes have no way in.
type description struct {
	ufrag, password string
	fingerprint     string // "sha-256 AA:BB:…"
	setup           string
	version         int // written only
	lite            bool
	candidates      []string // written, never read
	sections        []section
}

// section is one m-line.
type section struct {
	kind      string // "audio" or "video"
	mid       string
	rejected  bool
	direction string
	formats   []format
	levels    uint8    // id of the audio level extension; 0: none
	transport uint8    // id of the transport-wide sequence number
	layers    []string // simulcast: the names (rid) of its streams, as listed
	names     names
	stream    uint32
	repair    uint32 // SSRC of the repair stream; 0: none
	label     string // msid, written only
}

// names are the ids of the extensions by which a stream says who it is: its section, its layer, and whose repetitions it
// carries (RFC 8843, RFC 8852).
type names struct{ section, layer, repaired uint8 }

// format is one payload type that carries a codec of ours.
type format struct {
	codec   codec
	payload uint8
	repair  uint8  // payload type of RTX for it; 0: none
	profile string // H.264's profile-level-id
}

// sends tells whether the section's writer sends on it.
func (s section) sends() bool {
	return !s.rejected && (s.direction == "sendonly" || s.direction == "sendrecv")
}

// receives tells whether the section's writer receives on it.
func (s section) receives() bool {
	return !s.rejected && (s.direction == "recvonly" || s.direction == "sendrecv")
}

// format finds the section's format for a codec. H.264 may be there several times; constrained baseline by the letter
// goes first.
func (s section) format(c codec) (format, bool) {
	found := format{}
	for _, f := range s.formats {
		if f.codec != c {
			continue
		}
		if found.codec == noCodec || !strings.HasPrefix(strings.ToLower(found.profile), "42e0") {
			found = f
		}
		if c != h264 || strings.HasPrefix(strings.ToLower(f.profile), "42e0") {
			return f, true
		}
	}
	return found, found.codec != noCodec
}

// parser reads a description line by line.
type parser struct {
	out     description
	most    int // sections
	bundle  map[string]bool
	current *sectionReader // nil within the session part
	open    []*sectionReader
}

// sectionReader collects a section until its end, when lines that refer to each other are all there.
type sectionReader struct {
	section
	offered []uint8
	maps    map[uint8]string
	params  map[uint8]string
	ssrcs   []uint32
	pairs   [][2]uint32
	ids     map[uint8]string
	mux     bool
	rids    map[string]bool // that are sent
	listed  []string        // by simulcast
}

// readDescription reads a browser's (or the library's) description strictly, of at most so many sections.
func readDescription(text string, sections int) (description, error) {
	if len(text) > maxDescription {
		return description{}, refuse("longer than %d bytes", maxDescription)
	}
	p := parser{most: sections, bundle: map[string]bool{}}
	for number, line := range strings.Split(strings.TrimRight(text, "\r\n"), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if len(line) < 2 || line[1] != '=' || len(line) > maxLine || !printable(line) {
			return description{}, refuse("line %d is malformed", number+1)
		}
		if number == 0 && line != "v=0" {
			return description{}, refuse("does not begin with v=0")
		}
		if err := p.line(line[0], line[2:]); err != nil {
			return description{}, err
		}
	}
	return p.finish()
}

func (p *parser) line(kind byte, value string) error {
	switch kind {
	case 'm':
		return p.media(value)
	case 'a':
		key, rest, _ := strings.Cut(value, ":")
		if done, err := p.common(key, rest); done || err != nil {
			return err
		}
		if p.current == nil {
			return p.session(key, rest)
		}
		return p.current.attribute(key, rest)
	}
	return nil // v, o, s, t, c, b: nothing in them matters to us
}

// media begins a section.
func (p *parser) media(value string) error {
	parts := strings.Fields(value)
	if len(parts) < 4 || (parts[0] != "audio" && parts[0] != "video") {
		return refuse("a section is neither audio nor video")
	}
	if parts[2] != "UDP/TLS/RTP/SAVPF" {
		return refuse("a section's protocol is not UDP/TLS/RTP/SAVPF")
	}
	if len(p.open) == p.most {
		return refuse("more than %d sections", p.most)
	}
	port, err := strconv.ParseUint(parts[1], 10, 16)
	if err != nil {
		return refuse("a section's port is malformed")
	}
	if len(parts)-3 > maxFormats {
		return refuse("a section has more than %d formats", maxFormats)
	}
	r := &sectionReader{maps: map[uint8]string{}, params: map[uint8]string{}, ids: map[uint8]string{}, rids: map[string]bool{}}
	r.kind, r.rejected, r.direction = parts[0], port == 0, "sendrecv"
	for _, f := range parts[3:] {
		n, err := strconv.ParseUint(f, 10, 7)
		if err != nil {
			return refuse("a format is malformed")
		}
		r.offered = append(r.offered, uint8(n))
	}
	p.open = append(p.open, r)
	p.current = r
	return nil
}

// common reads attributes that may stand in the session part or in a section. They must not contradict each other:
// with BUNDLE there is one transport.
func (p *parser) common(key, value string) (bool, error) {
	var into *string
	var good bool
	switch key {
	case "ice-ufrag":
		into, good = &p.out.ufrag, iceToken(value, 4)
	case "ice-pwd":
		into, good = &p.out.password, iceToken(value, 22)
	case "fingerprint":
		into, good = &p.out.fingerprint, goodFingerprint(value)
	case "setup":
		into, good = &p.out.setup, value == "actpass" || value == "active" || value == "passive"
	default:
		return false, nil
	}
	if p.current != nil && p.current.rejected {
		return true, nil
	}
	if !good {
		return true, refuse("%s is malformed", key)
	}
	if *into != "" && *into != value {
		return true, refuse("%s is not the same everywhere", key)
	}
	*into = value
	return true, nil
}

func (p *parser) session(key, value string) error {
	if mids, ok := strings.CutPrefix(value, "BUNDLE"); key == "group" && ok {
		for mid := range strings.FieldsSeq(mids) {
			p.bundle[mid] = true
		}
	}
	return nil
}

// attribute reads a section's own attribute. Those that are not named here are ignored, first of all candidate,
// end-of-candidates and remote-candidates.
func (r *sectionReader) attribute(key, value string) error {
	switch key {
	case "mid":
		if !token(value, 32) || r.mid != "" {
			return refuse("a mid is malformed")
		}
		r.mid = value
	case "sendrecv", "sendonly", "recvonly", "inactive":
		r.direction = key
	case "rtcp-mux":
		r.mux = true
	case "bundle-only":
		// RFC 9143, section 7.2.1.1: with this line port 0 does not mean stopped. Firefox writes its video sections so.
		r.rejected = false
	case "rtpmap", "fmtp":
		number, rest, ok := strings.Cut(value, " ")
		n, err := strconv.ParseUint(number, 10, 7)
		if !ok || err != nil {
			return refuse("%s is malformed", key)
		}
		if key == "rtpmap" {
			r.maps[uint8(n)] = rest
		} else {
			r.params[uint8(n)] = rest
		}
	case "extmap":
		return r.extension(value)
	case "rid":
		if parts := strings.Fields(value); len(parts) >= 2 && parts[1] == "send" && layerName(parts[0]) && len(r.rids) <= maxLayers {
			r.rids[parts[0]] = true
		}
	case "simulcast":
		r.simulcast(value)
	case "ssrc", "ssrc-group":
		return r.source(key, value)
	}
	return nil
}

func (r *sectionReader) extension(value string) error {
	number, uri, ok := strings.Cut(value, " ")
	number, _, _ = strings.Cut(number, "/")
	uri, _, _ = strings.Cut(uri, " ")
	id, err := strconv.ParseUint(number, 10, 8)
	if !ok || err != nil || id == 0 {
		return refuse("extmap is malformed")
	}
	var into *uint8
	switch {
	case uri == uriLevel && r.kind == "audio": // a picture has none
		into = &r.levels
	case uri == uriTransport:
		into = &r.transport
	case uri == uriSection:
		into = &r.names.section
	case uri == uriLayer:
		into = &r.names.layer
	case uri == uriRepaired:
		into = &r.names.repaired
	}
	if into == nil || id > 14 {
		return nil // ids above 14 need two-byte headers, which we do not take
	}
	if r.ids[uint8(id)] != "" && r.ids[uint8(id)] != uri {
		return refuse("an extension's id is given twice")
	}
	r.ids[uint8(id)] = uri
	*into = uint8(id)
	return nil
}

func (r *sectionReader) source(key, value string) error {
	parts := strings.Fields(value)
	if key == "ssrc-group" {
		if len(parts) != 3 || parts[0] != "FID" {
			return nil // SIM and FEC groups: we take their first stream alone
		}
		a, errA := ssrc(parts[1])
		b, errB := ssrc(parts[2])
		if errA != nil || errB != nil || a == b || len(r.pairs) == maxSources {
			return refuse("ssrc-group is malformed")
		}
		r.pairs = append(r.pairs, [2]uint32{a, b})
		return nil
	}
	if len(parts) == 0 {
		return refuse("ssrc is malformed")
	}
	n, err := ssrc(parts[0])
	if err != nil {
		return refuse("ssrc is malformed")
	}
	for _, have := range r.ssrcs {
		if have == n {
			return nil
		}
	}
	if len(r.ssrcs) == maxSources {
		return refuse("a section has more than %d streams", maxSources)
	}
	r.ssrcs = append(r.ssrcs, n)
	return nil
}

// finish checks what can be judged only at the end.
func (p *parser) finish() (description, error) {
	d := p.out
	mids, shared := map[string]bool{}, shared{streams: map[uint32]bool{}, ids: map[uint8]string{}, codecs: map[uint8]codec{}}
	for i, r := range p.open {
		if r.rejected && r.mid == "" {
			// A section that was stopped need not name itself any more; it keeps its place.
			r.mid = "rejected-" + strconv.Itoa(i)
		}
		if r.mid == "" || mids[r.mid] {
			return d, refuse("a section has no mid of its own")
		}
		mids[r.mid] = true
		if !r.rejected {
			if !p.bundle[r.mid] || !r.mux {
				return d, refuse("a section is not bundled")
			}
			if err := r.settle(shared); err != nil {
				return d, err
			}
		}
		d.sections = append(d.sections, r.section)
	}
	if len(d.sections) == 0 {
		return d, refuse("has no section")
	}
	if d.ufrag == "" || d.password == "" || d.fingerprint == "" || d.setup == "" {
		return d, refuse("lacks ice-ufrag, ice-pwd, fingerprint or setup")
	}
	return d, nil
}

// shared is what bundled sections have in common: each number means one thing.
type shared struct {
	streams map[uint32]bool
	ids     map[uint8]string
	codecs  map[uint8]codec
}

// settle resolves formats and streams of a section.
func (r *sectionReader) settle(all shared) error {
	for id, uri := range r.ids {
		if all.ids[id] != "" && all.ids[id] != uri {
			return refuse("an extension's id means two things")
		}
		all.ids[id] = uri
	}
	repairs := map[string]uint8{}
	for _, n := range r.offered {
		if name, _, _ := strings.Cut(r.maps[n], "/"); strings.EqualFold(name, "rtx") {
			repairs[parameter(r.params[n], "apt")] = n
		}
	}
	for _, n := range r.offered {
		c := recognise(r.kind, r.maps[n], r.params[n])
		if c == noCodec {
			continue
		}
		f := format{codec: c, payload: n, repair: repairs[strconv.Itoa(int(n))]}
		if c == h264 {
			f.profile = parameter(r.params[n], "profile-level-id")
		}
		if have, ok := all.codecs[n]; ok && have != c {
			return refuse("a format means two things")
		}
		all.codecs[n] = c
		r.formats = append(r.formats, f)
	}
	if !r.sends() {
		return nil
	}
	r.layered()
	repair := map[uint32]bool{}
	for _, pair := range r.pairs {
		repair[pair[1]] = true
	}
	for _, n := range r.ssrcs {
		if all.streams[n] {
			return refuse("a stream belongs to two sections")
		}
		all.streams[n] = true
		if r.stream == 0 && !repair[n] {
			r.stream = n
		}
	}
	for _, pair := range r.pairs {
		if pair[0] == r.stream {
			r.repair = pair[1]
		}
	}
	return nil
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDescription, fmt.Sprintf(format, args...))
}

func ssrc(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err == nil && n == 0 {
		err = errDescription // 0 is what Chromium probes on
	}
	return uint32(n), err
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7E {
			// Names in UTF-8 occur in lines that we do not read (s=, i=), and nowhere else.
			if s[i] < 0x80 || s[0] == 'a' || s[0] == 'm' {
				return false
			}
		}
	}
	return true
}

// token is an RFC 4566 token without the characters that mean something elsewhere.
func token(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if !alphanumeric(s[i]) && !strings.ContainsRune("-_.+{}", rune(s[i])) {
			return false
		}
	}
	return true
}

// iceToken is RFC 8445's ice-char, of at least the given number.
func iceToken(s string, least int) bool {
	if len(s) < least || len(s) > 256 {
		return false
	}
	for i := range len(s) {
		if !alphanumeric(s[i]) && s[i] != '+' && s[i] != '/' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// goodFingerprint takes SHA-256 alone: it is what every browser sends, and the weaker ones must not be taken.
func goodFingerprint(s string) bool {
	sum, ok := strings.CutPrefix(strings.ToLower(s), "sha-256 ")
	if !ok || len(sum) != 32*3-1 {
		return false
	}
	for i := range len(sum) {
		if i%3 == 2 && sum[i] != ':' || i%3 != 2 && !hexadecimal(sum[i]) {
			return false
		}
	}
	return true
}

func hexadecimal(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
