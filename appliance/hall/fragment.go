package hall

import (
	"strings"

	"schalter/appliance"
	"schalter/media"
)

// What is read and written here is the little of SDP that the house itself must know of a guest's offer; everything else
// is package media's, which reads the whole strictly.

// credentials are the ICE username fragment and password of one side. They change with an ICE restart.
type credentials struct{ ufrag, password string }

// maxFragmentLines bounds an SDP fragment's lines.
const maxFragmentLines = 256

// sectionsOf walks through a description's lines, calling f with the number of the m-line that each belongs to; -1: none.
func sectionsOf(sdp string, f func(section int, line string)) {
	section := -1
	for line := range strings.Lines(sdp) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "m=") {
			section++
		}
		f(section, line)
	}
}

// sourcesOf says what each section of a publisher's offer shows: the first of sound is the microphone, the first two of
// pictures are the camera and the screen (slides). RFC 9725, section 4.2, allows one of each kind and leaves more to the
// server; what is too much for us is refused as a whole, so that nobody is half on the air. A viewer names no sources.
func sourcesOf(sdp string, part Part) (map[string]media.Source, error) {
	if part == Views {
		return nil, nil
	}
	type section struct {
		kind, mid string
		silent    bool
	}
	var all []section
	sectionsOf(sdp, func(n int, line string) {
		switch {
		case strings.HasPrefix(line, "m="):
			kind, _, _ := strings.Cut(line[2:], " ")
			all = append(all, section{kind: kind})
		case n < 0:
		case strings.HasPrefix(line, "a=mid:"):
			all[n].mid = line[len("a=mid:"):]
		case line == "a=recvonly" || line == "a=inactive":
			all[n].silent = true
		}
	})
	free := map[string][]media.Source{"audio": {media.Microphone}, "video": {media.Camera, media.Screen}}
	sources := make(map[string]media.Source)
	for _, s := range all {
		if s.silent {
			continue
		}
		if len(free[s.kind]) == 0 {
			return nil, &appliance.Error{Kind: appliance.Invalid, Code: "too-many-tracks"}
		}
		sources[s.mid], free[s.kind] = free[s.kind][0], free[s.kind][1:]
	}
	if len(sources) == 0 {
		return nil, &appliance.Error{Kind: appliance.Invalid, Code: "offer-refused"}
	}
	return sources, nil
}

// credentialsOf finds the credentials of a description: with BUNDLE all sections have the same.
func credentialsOf(sdp string) (c credentials) {
	sectionsOf(sdp, func(_ int, line string) {
		if v, ok := strings.CutPrefix(line, "a=ice-ufrag:"); ok && c.ufrag == "" {
			c.ufrag = v
		}
		if v, ok := strings.CutPrefix(line, "a=ice-pwd:"); ok && c.password == "" {
			c.password = v
		}
	})
	return c
}

// withCredentials writes other credentials into a description.
func withCredentials(sdp string, c credentials) string {
	var b strings.Builder
	sectionsOf(sdp, func(_ int, line string) {
		switch {
		case strings.HasPrefix(line, "a=ice-ufrag:"):
			line = "a=ice-ufrag:" + c.ufrag
		case strings.HasPrefix(line, "a=ice-pwd:"):
			line = "a=ice-pwd:" + c.password
		}
		b.WriteString(line + "\r\n")
	})
	return b.String()
}

// readFragment reads the credentials in an SDP fragment (RFC 8840, section 9); none where it has candidates alone. The
// candidates are not looked at: the box is ICE-lite and dials nobody.
func readFragment(text string) (c credentials, err error) {
	bad := &appliance.Error{Kind: appliance.Malformed, Code: "malformed"}
	lines := 0
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if lines++; lines > maxFragmentLines || len(line) < 2 || line[1] != '=' || line[0] != 'a' && line[0] != 'm' {
			return credentials{}, bad
		}
		into, value := (*string)(nil), ""
		if v, ok := strings.CutPrefix(line, "a=ice-ufrag:"); ok {
			into, value = &c.ufrag, v
		} else if v, ok := strings.CutPrefix(line, "a=ice-pwd:"); ok {
			into, value = &c.password, v
		}
		if into == nil {
			continue
		}
		if *into != "" && *into != value || !iceWord(value) {
			return credentials{}, bad
		}
		*into = value
	}
	if lines == 0 || (c.ufrag == "") != (c.password == "") {
		return credentials{}, bad
	}
	return c, nil
}

// iceWord takes ice-chars (RFC 8445, section 5.3) alone, because the word is written into a description. How long it must be
// is for package media to say.
func iceWord(s string) bool {
	if s == "" || len(s) > 256 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '+' && c != '/' {
			return false
		}
	}
	return true
}

// fragmentOf takes from the box's answer what the other side needs after an ICE restart: credentials and candidates of the
// section that carries the transport, the first one in use.
func fragmentOf(answer string) string {
	var head, body strings.Builder
	found, at := false, -1
	sectionsOf(answer, func(n int, line string) {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "a="), ":")
		switch {
		case line == "a=ice-lite", n < 0 && strings.HasPrefix(line, "a=group:BUNDLE"):
			head.WriteString(line + "\r\n")
			return
		case n < 0 || found && n != at:
			return
		case n != at:
			at = n
			body.Reset() // the one before had no transport
		}
		switch {
		case name == "ice-ufrag":
			found = true
		case strings.HasPrefix(line, "m="), name == "mid", name == "ice-pwd", name == "candidate":
		default:
			return
		}
		body.WriteString(line + "\r\n")
	})
	return head.String() + body.String() + "a=end-of-candidates\r\n"
}
