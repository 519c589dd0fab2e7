package live

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestClientMessages(t *testing.T) {
	for _, c := range []struct {
		message ClientMessage
		text    string
	}{
		{ClientMessage{T: Ping}, `{"t":"ping"}`},
		{ClientMessage{T: TakeOver}, `{"t":"take_over"}`},
		{ClientMessage{T: Rejoin, Seat: "s"}, `{"t":"rejoin","seat":"s"}`},
		{ClientMessage{T: Restart, Seat: "s"}, `{"t":"restart","seat":"s"}`},
		{ClientMessage{T: Devices, Camera: true}, `{"t":"devices","microphone":false,"camera":true,"screen":false}`},
		{ClientMessage{T: Text, Line: 2, Text: "a\"b", Done: true}, `{"t":"text","line":2,"text":"a\"b","done":true}`},
		{ClientMessage{T: Subscribed, Seat: "s", Revision: 3, SDP: "v=0"}, `{"t":"subscribed","seat":"s","revision":3,"sdp":"v=0"}`},
		{ClientMessage{T: Show, Seat: "s", Pictures: []Shown{}}, `{"t":"show","seat":"s","pictures":[]}`},
		{
			ClientMessage{T: Show, Seat: "s", Pictures: []Shown{{"o", "camera", 640, 360}, {"o", "screen", 0, 0}}},
			`{"t":"show","seat":"s","pictures":[{"seat":"o","source":"camera","width":640,"height":360},{"seat":"o","source":"screen","width":0,"height":0}]}`,
		},
		{
			ClientMessage{T: Publish, Seat: "s", SDP: "v=0", Sources: map[string]string{"0": "camera"}},
			`{"t":"publish","seat":"s","sdp":"v=0","sources":{"0":"camera"}}`,
		},
	} {
		b, err := c.message.Encode()
		if err != nil || string(b) != c.text {
			t.Errorf("encoded %s (%v), want %s", b, err, c.text)
		}
		m, err := DecodeClient([]byte(c.text))
		if err != nil || !reflect.DeepEqual(m, c.message) {
			t.Errorf("decoded %+v (%v), want %+v", m, err, c.message)
		}
	}
	if _, err := (ClientMessage{T: Visit}).Encode(); err == nil {
		t.Error("a page sends a view")
	}
}

func TestServerMessages(t *testing.T) {
	for _, c := range []struct {
		message ServerMessage
		text    string
	}{
		{ServerMessage{T: Pong}, `{"t":"pong"}`},
		{ServerMessage{T: Replaced}, `{"t":"replaced"}`},
		{ServerMessage{T: Visit, View: json.RawMessage(`{"id":"x"}`)}, `{"t":"visit","view":{"id":"x"}}`},
		{ServerMessage{T: Unseat, Seat: "s"}, `{"t":"unseat","seat":"s"}`},
		{ServerMessage{T: Speaker, Seat: "s"}, `{"t":"speaker","seat":"s"}`},
		{ServerMessage{T: Speaker}, `{"t":"speaker","seat":""}`},
		{ServerMessage{T: Paused, Seat: "s"}, `{"t":"paused","seat":"s","pictures":[]}`},
		{ServerMessage{T: Paused, Seat: "s", Pictures: []Picture{{"o", "camera"}}}, `{"t":"paused","seat":"s","pictures":[{"seat":"o","source":"camera"}]}`},
		{ServerMessage{T: Interrupted, Side: "citizen", Interrupted: true}, `{"t":"interrupted","side":"citizen","interrupted":true}`},
		{ServerMessage{T: Ended, Reason: "slow"}, `{"t":"ended","reason":"slow"}`},
		{ServerMessage{T: Problem, Code: "c", Title: "Ä<"}, `{"t":"problem","code":"c","title":"Ä\u003c"}`},
		{ServerMessage{T: Text, Side: "clerk", Name: "n", Line: 1, Text: "t"}, `{"t":"text","side":"clerk","name":"n","line":1,"text":"t","done":false}`},
		{ServerMessage{T: Devices, Side: "clerk"}, `{"t":"devices","side":"clerk","microphone":false,"camera":false,"screen":false}`},
		{ServerMessage{T: SeatGiven, Seat: "s", Room: "r"}, `{"t":"seat","seat":"s","room":"r","ice_servers":[],"layers":false}`},
		{
			ServerMessage{T: SeatGiven, Seat: "s", Room: "r", Layers: true, ICEServers: []ICEServer{{Username: "u", Credential: "c", Expires: time.Unix(0, 0).UTC()}}},
			`{"t":"seat","seat":"s","room":"r","ice_servers":[{"urls":[],"username":"u","credential":"c","expires":"1970-01-01T00:00:00Z"}],"layers":true}`,
		},
		{ServerMessage{T: Published, Seat: "s", SDP: "v"}, `{"t":"published","seat":"s","sdp":"v","late":[]}`},
		{
			ServerMessage{T: Subscribe, Seat: "s", Revision: 1, SDP: "v", Tracks: []Track{{"0", "o", "screen"}}},
			`{"t":"subscribe","seat":"s","revision":1,"sdp":"v","late":[],"tracks":[{"mid":"0","seat":"o","source":"screen"}]}`,
		},
	} {
		b, err := c.message.Encode()
		if err != nil || string(b) != c.text {
			t.Errorf("encoded %s (%v), want %s", b, err, c.text)
		}
		if m, err := DecodeServer(b); err != nil || m.T != c.message.T {
			t.Errorf("decoded %+v (%v)", m, err)
		}
	}
	if m, err := DecodeServer([]byte(`{"t":"new","x":1}`)); err != nil || m.T != "new" {
		t.Errorf("an unknown type: %+v, %v", m, err)
	}
	for _, bad := range []string{``, `[]`, `{}`, `{"t":1}`, `null`} {
		if _, err := DecodeServer([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestShownIsBounded(t *testing.T) {
	show := func(pictures string) string { return `{"t":"show","seat":"s","pictures":` + pictures + `}` }
	many := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`{"seat":"%d","source":"camera","width":1,"height":1}`, i)
		}
		return show("[" + strings.Join(list, ",") + "]")
	}
	for text, fine := range map[string]bool{
		show(`[]`): true, many(MaxShown): true, many(MaxShown + 1): false, show(`null`): false, show(`{}`): false, `{"t":"show","seat":"s"}`: false,
		`{"t":"ping","pictures":[]}`:                                                                                      false,
		show(`[{"seat":"o","source":"screen","width":16384,"height":16384}]`):                                             true,
		show(`[{"seat":"o","source":"screen","width":16385,"height":1}]`):                                                 false,
		show(`[{"seat":"o","source":"screen","width":1,"height":-1}]`):                                                    false,
		show(`[{"seat":"o","source":"screen","width":1.5,"height":1}]`):                                                   false,
		show(`[{"seat":"o","source":"microphone","width":1,"height":1}]`):                                                 false,
		show(`[{"seat":"","source":"camera","width":1,"height":1}]`):                                                      false,
		show(`[{"seat":"o","source":"camera","width":1,"height":1,"more":1}]`):                                            false,
		show(`[{"seat":"o","source":"camera","width":1,"height":1},{"seat":"o","source":"camera","width":2,"height":2}]`): false,
		show(`[{"seat":"o","source":"camera","width":1,"height":1},{"seat":"o","source":"screen","width":2,"height":2}]`): true,
	} {
		if _, err := DecodeClient([]byte(text)); (err == nil) != fine {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestStrictness(t *testing.T) {
	type body struct {
		Name  string            `json:"name"`
		Needs []string          `json:"needs"`
		Map   map[string]string `json:"map"`
		Count int               `json:"count"`
	}
	for text, fine := range map[string]bool{
		`{}`: true, ` {"name":"x"} `: true, `{"name":null}`: true, `{"needs":[],"map":{"a":"b"}}`: true, `{"name":"\u00e4"}`: true,
		`{"name":"x","name":"x"}`: false, `{"n\u0061me":"x","name":"y"}`: false, `{"map":{"a":"b","a":"b"}}`: false, `{"Name":"x"}`: false,
		`{"name":"x","other":1}`: false, `{"name":"x"}x`: false, `{"name":"x"}{}`: false, `[{}]`: false, `"name"`: false, `null`: false, ``: false,
		`{"name":1}`: false, `{"needs":{}}`: false, `{"count":1.5}`: false, `{"count":"1"}`: false, `{"count":1e9}`: false, `{"name":"x",}`: false,
		"{\"name\":\"\xff\"}": false, `{"needs":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`: false, `{'name':'x'}`: false,
		"{\"name\":\"a\nb\"}": false, `{"name":"x"} // y`: false,
	} {
		var b body
		if _, err := Unmarshal([]byte(text), &b); (err == nil) != fine {
			t.Errorf("%s: %v", text, err)
		}
	}
	var b body
	given, err := Unmarshal([]byte(`{"count":1,"name":null}`), &b)
	if err != nil || len(given) != 1 || given[0] != "count" {
		t.Errorf("given %v, %v", given, err)
	}
}

// FuzzDecodeClient: whatever a page sends, a message that is taken means the same when written again, and has no field
// that its type has not.
func FuzzDecodeClient(f *testing.F) {
	for _, seed := range []string{
		`{"t":"ping"}`, `{"t":"publish","seat":"s","sdp":"v=0\r\n","sources":{"0":"camera","1":"microphone"}}`,
		`{"t":"subscribed","seat":"s","revision":1,"sdp":"v"}`, `{"t":"text","line":1,"text":"ä\u0000","done":true}`,
		`{"t":"show","seat":"s","pictures":[{"seat":"o","source":"camera","width":640,"height":360}]}`, `{"t":"show","seat":"s","pictures":[{}]}`,
		`{"t":"devices","microphone":true,"camera":false,"screen":false}`, `{"t":"ping","t":"text"}`, `{"t":"ping"}{"t":"ping"}`, `{"T":"ping"}`,
		`{"t":"text","line":-1,"text":"","done":false}`, `{"t":"rejoin","seat":null}`, `{"t":"restart","seat":"s"}`, "\xff", `[`, `{"t":{"t":"ping"}}`, `{"t":"text","line":1e3,"text":"","done":false}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeClient(b)
		if err != nil {
			return
		}
		if len(b) > MaxMessage {
			t.Fatal("too big and taken")
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		n, err := DecodeClient(again)
		if err != nil && len(again) <= MaxMessage || err == nil && !reflect.DeepEqual(m, n) {
			t.Fatalf("%s became %s: %v", b, again, err)
		}
	})
}

// FuzzDecodeServer: a device survives whatever a box sends.
func FuzzDecodeServer(f *testing.F) {
	f.Add([]byte(`{"t":"seat","seat":"s","room":"r","ice_servers":[{"urls":null,"expires":"2026-01-01T00:00:00Z"}]}`))
	f.Add([]byte(`{"t":"visit","view":null}`))
	f.Add([]byte(`{"t":"speaker","seat":"s"}`))
	f.Add([]byte(`{"t":"speaker","seat":null}`))
	f.Add([]byte(`{"t":"subscribe","tracks":[{}],"revision":1e2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeServer(b)
		if err == nil && m.T == "" {
			t.Fatalf("%s: a message without a type", b)
		}
	})
}
