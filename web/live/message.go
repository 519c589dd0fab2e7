package live

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// ClientMessage is what a page sends. Which fields belong to which T is in the package's text.
type ClientMessage struct {
	T          string            `json:"t"`
	Seat       string            `json:"seat"`
	SDP        string            `json:"sdp"`
	Sources    map[string]string `json:"sources"`
	Revision   int               `json:"revision"`
	Pictures   []Shown           `json:"pictures"`
	Microphone bool              `json:"microphone"`
	Camera     bool              `json:"camera"`
	Screen     bool              `json:"screen"`
	Line       int               `json:"line"`
	Text       string            `json:"text"`
	Done       bool              `json:"done"`
}

// clientFields names the fields of a type of message; ok is false for a type that no page may send.
func clientFields(t string) (fields []string, ok bool) {
	switch t {
	case Ping, TakeOver:
		return nil, true
	case Publish:
		return []string{"seat", "sdp", "sources"}, true
	case Subscribed:
		return []string{"seat", "revision", "sdp"}, true
	case Show:
		return []string{"seat", "pictures"}, true
	case Restart, Rejoin:
		return []string{"seat"}, true
	case Devices:
		return []string{"microphone", "camera", "screen"}, true
	case Text:
		return []string{"line", "text", "done"}, true
	}
	return nil, false
}

// DecodeClient reads what a page sent: exactly the fields of its type, each once.
func DecodeClient(b []byte) (ClientMessage, error) {
	var m ClientMessage
	if len(b) > MaxMessage {
		return ClientMessage{}, errors.New("message too big")
	}
	given, err := Unmarshal(b, &m)
	if err != nil {
		return ClientMessage{}, err
	}
	fields, ok := clientFields(m.T)
	if !ok {
		return ClientMessage{}, errors.New("unknown type")
	}
	for _, name := range fields {
		if !slices.Contains(given, name) {
			return ClientMessage{}, fmt.Errorf("%s without %s", m.T, name)
		}
	}
	for _, name := range given {
		if name != "t" && !slices.Contains(fields, name) {
			return ClientMessage{}, fmt.Errorf("%s with %s", m.T, name)
		}
	}
	if err := checkShown(m.Pictures); err != nil {
		return ClientMessage{}, err
	}
	return m, nil
}

// checkShown tells whether a page can show this: pictures, each once, at sizes that screens have.
func checkShown(pictures []Shown) error {
	if len(pictures) > MaxShown {
		return errors.New("too many pictures")
	}
	there := make(map[Picture]bool, len(pictures))
	for _, p := range pictures {
		which := Picture{p.Seat, p.Source}
		if p.Seat == "" || p.Source != "camera" && p.Source != "screen" || there[which] ||
			p.Width < 0 || p.Width > MaxSide || p.Height < 0 || p.Height > MaxSide {
			return errors.New("not a shown picture")
		}
		there[which] = true
	}
	return nil
}

// Encode writes the message with exactly the fields of its type.
func (m ClientMessage) Encode() ([]byte, error) {
	fields, ok := clientFields(m.T)
	if !ok {
		return nil, fmt.Errorf("encode %q: unknown type", m.T)
	}
	if m.Sources == nil {
		m.Sources = map[string]string{}
	}
	if m.Pictures == nil {
		m.Pictures = []Shown{}
	}
	return encode(m, fields)
}

// ServerMessage is what the box sends. Which fields belong to which T is in the package's text.
type ServerMessage struct {
	T           string          `json:"t"`
	View        json.RawMessage `json:"view"`
	Seat        string          `json:"seat"`
	Room        string          `json:"room"`
	ICEServers  []ICEServer     `json:"ice_servers"`
	Layers      bool            `json:"layers"`
	SDP         string          `json:"sdp"`
	Revision    int             `json:"revision"`
	Late        []string        `json:"late"`
	Tracks      []Track         `json:"tracks"`
	Pictures    []Picture       `json:"pictures"`
	Side        string          `json:"side"`
	Name        string          `json:"name"`
	Line        int             `json:"line"`
	Text        string          `json:"text"`
	Done        bool            `json:"done"`
	Microphone  bool            `json:"microphone"`
	Camera      bool            `json:"camera"`
	Screen      bool            `json:"screen"`
	Interrupted bool            `json:"interrupted"`
	Code        string          `json:"code"`
	Title       string          `json:"title"`
	Reason      string          `json:"reason"`
}

func serverFields(t string) (fields []string, ok bool) {
	switch t {
	case Pong, Replaced:
		return nil, true
	case Visit, Desk:
		return []string{"view"}, true
	case SeatGiven:
		return []string{"seat", "room", "ice_servers", "layers"}, true
	case Unseat, Speaker:
		return []string{"seat"}, true
	case Published:
		return []string{"seat", "sdp", "late"}, true
	case Subscribe:
		return []string{"seat", "revision", "sdp", "late", "tracks"}, true
	case Paused:
		return []string{"seat", "pictures"}, true
	case Text:
		return []string{"side", "name", "line", "text", "done"}, true
	case Devices:
		return []string{"side", "microphone", "camera", "screen"}, true
	case Interrupted:
		return []string{"side", "interrupted"}, true
	case Ended:
		return []string{"reason"}, true
	case Problem:
		return []string{"code", "title"}, true
	}
	return nil, false
}

// Encode writes the message with exactly the fields of its type; lists are never null.
func (m ServerMessage) Encode() ([]byte, error) {
	fields, ok := serverFields(m.T)
	if !ok {
		return nil, fmt.Errorf("encode %q: unknown type", m.T)
	}
	if m.ICEServers == nil {
		m.ICEServers = []ICEServer{}
	}
	for i := range m.ICEServers {
		if m.ICEServers[i].URLs == nil {
			m.ICEServers[i].URLs = []string{}
		}
	}
	if m.Late == nil {
		m.Late = []string{}
	}
	if m.Tracks == nil {
		m.Tracks = []Track{}
	}
	if m.Pictures == nil {
		m.Pictures = []Picture{}
	}
	return encode(m, fields)
}

// DecodeServer reads what the box sent. It is lenient where DecodeClient is strict: a device that was not updated yet
// shall pass over what a newer box adds. An unknown type is returned with its T alone.
func DecodeServer(b []byte) (ServerMessage, error) {
	var m ServerMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return ServerMessage{}, fmt.Errorf("decode: %w", err)
	}
	if m.T == "" {
		return ServerMessage{}, errors.New("message without type")
	}
	if _, ok := serverFields(m.T); !ok {
		return ServerMessage{T: m.T}, nil
	}
	return m, nil
}

// encode writes t and the named fields of a message.
func encode(message any, fields []string) ([]byte, error) {
	whole, err := json.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(whole, &all); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	out := []byte(`{"t":`)
	out = append(out, all["t"]...)
	for _, name := range fields {
		out = append(out, `,"`...)
		out = append(out, name...)
		out = append(out, `":`...)
		out = append(out, all[name]...)
	}
	return append(out, '}'), nil
}

// UnmarshalJSON reads it as strictly as the message around it: its four fields, each once.
func (s *Shown) UnmarshalJSON(b []byte) error {
	type plain Shown
	given, err := Unmarshal(b, (*plain)(s))
	if err == nil && len(given) != 4 {
		err = errors.New("a shown picture lacks a field")
	}
	return err
}
