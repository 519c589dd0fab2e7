package appliance

import (
	"slices"
	"strings"
	"time"
)

// Limits of the rooms that an operator opens.
const (
	MaxRooms    = 100 // in one house
	MaxOrigins  = 16  // of one room
	maxRoomName = 64  // characters
	maxOrigin   = 255 // characters
)

// RoomName is what an operator calls a room, and its part of the room's address. Upper and lower case do not differ.
type RoomName string

// Key is the name in the one spelling by which rooms are told apart.
func (n RoomName) Key() RoomName { return RoomName(strings.ToLower(string(n))) }

// OpenRoom is a room that stands open for whoever holds one of its two tokens: an encoder in the hall that publishes,
// and viewers. It stays open over a restart, until it is closed.
type OpenRoom struct {
	Name     RoomName  `json:"name"`
	Origins  []string  `json:"origins"` // of foreign pages that may use it; none: only pages of the box itself
	OpenedAt time.Time `json:"opened_at"`
}

// RoomPass is what a room's token opens: the room, for a role. RoomDevice publishes, Viewer views.
type RoomPass struct {
	Room OpenRoom
	Role Role
}

// Lets tells whether a page of this origin may use the room. Origins are compared as browsers write them.
func (r OpenRoom) Lets(origin string) bool { return slices.Contains(r.Origins, origin) }

// CheckRoom reads what an operator typed and gives the room as it is stored.
func CheckRoom(r OpenRoom) (OpenRoom, error) {
	if !goodRoomName(string(r.Name)) {
		return OpenRoom{}, wrong("room-invalid", "room")
	}
	var origins []string
	for _, o := range r.Origins {
		plain, ok := plainOrigin(o)
		if !ok {
			return OpenRoom{}, wrong("origin-invalid", "origins")
		}
		if !slices.Contains(origins, plain) {
			origins = append(origins, plain)
		}
	}
	if len(origins) > MaxOrigins {
		return OpenRoom{}, wrong("too-many-origins", "origins")
	}
	r.Origins = origins
	return r, nil
}

// goodRoomName takes letters a–z, digits, dot, hyphen and underscore, so that the name is the same in an address, in a
// file of an encoder's settings and on the telephone. The first is a letter or digit.
func goodRoomName(s string) bool {
	if s == "" || len(s) > maxRoomName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case i > 0 && (c == '.' || c == '-' || c == '_'):
		default:
			return false
		}
	}
	return true
}

// plainOrigin brings an origin into the spelling of the header (RFC 6454, section 6.2): lower case, no path, no default
// port. Only https: what is viewed may be private, and a page without TLS is anybody's. Names are in their ASCII form; what
// is no name at all lets nobody in.
func plainOrigin(s string) (string, bool) {
	host, ok := strings.CutPrefix(strings.ToLower(s), "https://")
	host = strings.TrimSuffix(strings.TrimSuffix(host, "/"), ":443")
	if !ok || host == "" || host[0] == ':' || len(host) > maxOrigin {
		return "", false
	}
	for i := range len(host) {
		c := host[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune(".-:[]", rune(c)) {
			return "", false
		}
	}
	return "https://" + host, true
}
