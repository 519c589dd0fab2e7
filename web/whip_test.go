package web_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"schalter/media"
	"schalter/web"
)

// offer is an encoder's, or a viewer's with another direction.
func offer(direction string) string {
	return strings.Join([]string{
		"v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=group:BUNDLE 0 1",
		"m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0", "a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901", "a=" + direction,
		"m=video 9 UDP/TLS/RTP/SAVPF 96", "a=mid:1", "a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901", "a=" + direction, "",
	}, "\r\n")
}

const (
	whip    = "/api/v1/rooms/saal/whip"
	whep    = "/api/v1/rooms/saal/whep"
	trickle = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n" +
		"a=candidate:1 1 udp 2130706431 192.0.2.7 5000 typ host\r\na=end-of-candidates\r\n"
	restart = "a=ice-ufrag:wxyz\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
)

// sent is a request of a tool: token, body of a type, further headers.
func (h *house) sent(method, path, token, kind, body string, header ...string) answer {
	h.t.Helper()
	return h.ask(method, path, body, append([]string{"Authorization", "Bearer " + token, "Content-Type", kind}, header...)...)
}

func (h *house) posted(path, token string) (at, tag string, a answer) {
	h.t.Helper()
	direction := "sendonly"
	if path == whep {
		direction = "recvonly"
	}
	a = h.sent("POST", path, token, "application/sdp", offer(direction))
	a.wants(h.t, 201, "")
	return a.Header.Get("Location"), a.Header.Get("ETag"), a
}

func TestWHIPAndWHEP(t *testing.T) {
	for path, mine := range map[string]int{whip: 0, whep: 1} {
		t.Run(path, func(t *testing.T) {
			h := open(t)
			publish, view := h.openRoom("saal")
			token := []string{publish, view}[mine]
			at, tag, a := h.posted(path, token)
			if !strings.HasPrefix(at, path+"/") || len(at) != len(path)+33 {
				t.Errorf("Location %q", at)
			}
			if a.Header.Get("Content-Type") != "application/sdp" || !strings.HasPrefix(a.body, "answer to v=0") ||
				a.Header.Get("Accept-Patch") != "application/trickle-ice-sdpfrag" || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%v\n%s", a.Header, a.body)
			}
			seat := strings.TrimPrefix(at, path+"/")
			link := `<turns:localhost:443>; rel="ice-server"; username="` + seat + `"; credential="secret"; credential-type="password"`
			if got := a.Header.Values("Link"); len(got) != 1 || got[0] != link {
				t.Errorf("Link %q", got)
			}
			if len(tag) != 34 || tag[0] != '"' {
				t.Errorf("ETag %s is not a strong tag", tag)
			}
			const kind = "application/trickle-ice-sdpfrag"
			a = h.sent("PATCH", at, token, kind, trickle, "If-Match", tag)
			a.wants(t, 204, "")
			if a.body != "" || a.Header.Get("ETag") != "" { // RFC 9725, section 4.3.2
				t.Errorf("candidates answered with %q, ETag %s", a.body, a.Header.Get("ETag"))
			}
			a = h.sent("PATCH", at, token, kind, restart, "If-Match", "*")
			a.wants(t, 200, "")
			fresh := a.Header.Get("ETag")
			if a.Header.Get("Content-Type") != kind || !strings.Contains(a.body, "a=ice-ufrag:wxyz\r\n") || fresh == tag || fresh == "" {
				t.Errorf("restarted: %v %q", a.Header, a.body)
			}
			h.sent("PATCH", at, token, kind, trickle, "If-Match", tag).wants(t, 412, "tag-stale")
			h.sent("PATCH", at, token, kind, restart, "If-Match", `"other", `+fresh).wants(t, 204, "")
			h.sent("PATCH", at, token, kind, restart, "If-Match", "W/"+fresh).wants(t, 412, "tag-stale")
			h.sent("PATCH", at, token, kind, trickle).wants(t, 428, "tag-missing")
			h.sent("PATCH", at, token, kind, "nonsense", "If-Match", "*").wants(t, 400, "malformed")
			h.sent("PATCH", at, token, kind, "a=ice-ufrag:half\r\n", "If-Match", "*").wants(t, 400, "malformed")
			h.sent("PATCH", at, token, kind, "a=ice-ufrag:x\r\na=ice-pwd:y z\r\n", "If-Match", "*").wants(t, 400, "malformed")
			h.sent("PATCH", at, token, "application/sdp", restart, "If-Match", "*").wants(t, 415, "not-sdp-fragment")
			for _, method := range []string{"GET", "HEAD", "PUT", "POST"} {
				a := h.sent(method, at, token, "application/sdp", "")
				if a.StatusCode != 405 || a.Header.Get("Allow") != "DELETE, OPTIONS, PATCH" {
					t.Errorf("%s: %d, Allow %s", method, a.StatusCode, a.Header.Get("Allow"))
				}
			}
			a = h.sent("GET", path, token, "", "")
			a.wants(t, 405, "method-not-allowed")
			if got := a.Header.Get("Allow"); got != "OPTIONS, POST" {
				t.Errorf("Allow %s", got)
			}
			h.sent("DELETE", at, token, "", "", "If-Match", tag).wants(t, 200, "") // DELETE ignores tags
			h.sent("DELETE", at, token, "", "").wants(t, 404, "not-found")
			h.sent("PATCH", at, token, kind, trickle, "If-Match", "*").wants(t, 404, "not-found")
			if said := h.log.String(); strings.Contains(said, token) || strings.Contains(said, "192.0.2.7") {
				t.Error("a token or an address was logged")
			}
		})
	}
}

func TestRoomRefusals(t *testing.T) {
	h := open(t)
	publish, view := h.openRoom("saal")
	other, _ := h.openRoom("trauzimmer")
	const kind = "application/sdp"
	o := offer("sendonly")
	h.ask("POST", whip, o, "Content-Type", kind).wants(t, 401, "token-missing")
	h.sent("POST", whip, strings.Repeat("x", 43), kind, o).wants(t, 401, "token-wrong")
	h.sent("POST", whip, view, kind, o).wants(t, 403, "role")
	h.sent("POST", whep, publish, kind, o).wants(t, 403, "role")
	h.sent("POST", whip, other, kind, o).wants(t, 404, "not-found")
	h.sent("POST", "/api/v1/rooms/nirgends/whip", publish, kind, o).wants(t, 404, "not-found")
	h.sent("POST", whip, publish, "application/json", "{}").wants(t, 415, "not-sdp")
	h.sent("POST", whip, publish, kind, o, "Accept", "application/json").wants(t, 406, "not-acceptable")
	h.sent("POST", whip, publish, kind, o, "Accept", "application/sdp;q=0").wants(t, 406, "not-acceptable")
	h.sent("POST", whip, publish, kind, o, "Accept", "text/html, application/*;q=0.1").wants(t, 201, "")
	h.sent("POST", "/api/v1/rooms/SAAL/whip", publish, kind, o).wants(t, 201, "")
	h.sent("POST", whip, publish, kind, "{}").wants(t, 400, "malformed")
	h.sent("POST", whip, publish, kind, "v=0"+strings.Repeat(" ", 64<<10)).wants(t, 413, "body-too-large")
	h.sent("POST", whip, publish, kind, offer("recvonly")).wants(t, 422, "offer-refused")
	h.sent("POST", whip, publish, kind, o+"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:2\r\n").wants(t, 422, "too-many-tracks")
	h.sent("POST", whip, publish, kind, "v=0 refuse").wants(t, 422, "offer-refused")
	if a := h.sent("POST", whip, publish, kind, "x"); a.Header.Get("Content-Type") != "application/problem+json" {
		t.Error(a.Header)
	}

	// A seat is its own token's, and of its own kind.
	at, tag, _ := h.posted(whip, publish)
	seat := at[strings.LastIndex(at, "/"):]
	viewed, _, _ := h.posted(whep, view)
	h.sent("DELETE", whep+seat, view, "", "").wants(t, 404, "not-found")
	h.sent("DELETE", whip+viewed[strings.LastIndex(viewed, "/"):], publish, "", "").wants(t, 404, "not-found")
	h.sent("DELETE", at, view, "", "").wants(t, 403, "role")
	h.sent("DELETE", at, other, "", "").wants(t, 404, "not-found")
	h.sent("DELETE", "/api/v1/rooms/trauzimmer/whip"+seat, other, "", "").wants(t, 404, "not-found")
	publishAgain, _ := h.openRoom("saal")
	h.sent("POST", whip, publish, kind, o).wants(t, 401, "token-wrong")
	h.sent("DELETE", at, publishAgain, "", "").wants(t, 404, "not-found")
	h.posted(whip, publishAgain)
	if loads, err := h.hall.OpenRooms(t.Context()); err != nil || loads[0].Publishers != 4 || loads[0].Viewers != 1 {
		t.Errorf("who was in is not any more: %+v, %v", loads, err)
	}
	if err := h.hall.CloseRoom(t.Context(), "saal"); err != nil {
		t.Fatal(err)
	}
	h.sent("PATCH", at, publishAgain, "application/trickle-ice-sdpfrag", trickle, "If-Match", tag).wants(t, 401, "token-wrong")
}

// A lost connection ends the seat, and a room takes only so many.
func TestSeatsOfARoomEnd(t *testing.T) {
	h := open(t)
	publish, _ := h.openRoom("saal")
	at, tag, _ := h.posted(whip, publish)
	h.plane.events <- media.Event{Kind: media.Lost, Seat: media.SeatID(at[strings.LastIndex(at, "/")+1:])}
	for tries := 0; ; tries++ { // the event and the request come to the room by two ways
		a := h.sent("PATCH", at, publish, "application/trickle-ice-sdpfrag", trickle, "If-Match", tag)
		if a.StatusCode == http.StatusNotFound {
			break
		}
		if tries == 1000 {
			t.Fatalf("a lost seat answers %d", a.StatusCode)
		}
	}
	var first string
	for i := range 8 {
		at, _, _ := h.posted(whip, publish)
		if i == 0 {
			first = at
		}
	}
	h.sent("POST", whip, publish, "application/sdp", offer("sendonly")).wants(t, 503, "room-full")
	h.sent("DELETE", first, publish, "", "").wants(t, 200, "")
	h.posted(whip, publish)
}

func TestSeatsOfATokenAreThrottled(t *testing.T) {
	h := open(t, func(c *web.Config) { c.Demo = false })
	publish, view := h.openRoom("saal")
	throttled := 0
	for range 250 {
		switch a := h.sent("POST", whip, publish, "application/sdp", "v=0 refuse"); a.StatusCode {
		case http.StatusTooManyRequests:
			throttled++
			a.wants(t, 429, "too-fast")
		case http.StatusUnprocessableEntity:
		default:
			t.Fatal(a.StatusCode, a.body)
		}
	}
	if throttled == 0 || throttled > 10 {
		t.Errorf("%d of 250 throttled, want 10 or, on a slow machine, a few less", throttled)
	}
	h.posted(whep, view) // another token has its own
	h.skew.Add(int64(time.Minute))
	h.posted(whip, publish)
}

// Foreign pages: none by default, then those that the room names and no others.
func TestRoomsAndForeignPages(t *testing.T) {
	h := open(t)
	const page = "https://www.lindenau.example"
	closed, _ := h.openRoom("saal")
	const kind = "application/sdp"
	o := offer("sendonly")
	foreign := []string{"Origin", page, "Sec-Fetch-Site", "cross-site"}
	ask := func(token string, header ...string) answer { return h.sent("POST", whip, token, kind, o, header...) }
	preflight := func(path string, header ...string) answer {
		return h.ask("OPTIONS", path, nil, append(header, "Access-Control-Request-Method", "POST",
			"Access-Control-Request-Headers", "authorization,content-type")...)
	}
	noCORS := func(a answer) {
		t.Helper()
		for name := range a.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: %s", name, a.Header.Get(name))
			}
		}
	}
	a := ask(closed, foreign...)
	a.wants(t, 403, "foreign-origin")
	noCORS(a)
	ask(closed, "Origin", h.origin()).wants(t, 201, "")
	ask(closed).wants(t, 201, "")

	a = preflight(whip)
	a.wants(t, 200, "")
	noCORS(a)
	if a.Header.Get("Accept-Post") != kind || a.Header.Get("Allow") != "OPTIONS, POST" {
		t.Errorf("OPTIONS: %v", a.Header)
	}
	a = preflight(whip+"/"+strings.Repeat("0", 32), foreign...)
	a.wants(t, 200, "")
	noCORS(a)
	if a.Header.Get("Accept-Patch") == "" || a.Header.Get("Allow") != "DELETE, OPTIONS, PATCH" {
		t.Errorf("OPTIONS: %v", a.Header)
	}

	publish, _ := h.openRoom("saal", page)
	a = preflight(whip, foreign...)
	a.wants(t, 200, "")
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": page, "Access-Control-Allow-Methods": "DELETE, PATCH, POST",
		"Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match", "Vary": "Origin",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if a.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Error("cookies are let through")
	}
	a = ask(publish, foreign...)
	a.wants(t, 201, "")
	exposed := strings.Split(a.Header.Get("Access-Control-Expose-Headers"), ", ")
	if a.Header.Get("Access-Control-Allow-Origin") != page || !slices.Contains(exposed, "Location") || !slices.Contains(exposed, "Link") {
		t.Errorf("%v", a.Header)
	}
	a = ask(strings.Repeat("x", 43), foreign...)
	a.wants(t, 401, "token-wrong")
	if a.Header.Get("Access-Control-Allow-Origin") != page {
		t.Error("the page cannot read why it was refused")
	}
	for _, origin := range []string{"https://www.lindenau.example:8443", "http://www.lindenau.example", "null", "https://boese.example"} {
		a := ask(publish, "Origin", origin, "Sec-Fetch-Site", "cross-site")
		a.wants(t, 403, "foreign-origin")
		noCORS(a)
		noCORS(preflight(whip, "Origin", origin))
	}
	ask(publish, "Origin", page, "Origin", "https://boese.example").wants(t, 403, "foreign-origin")
	// Another room's pages, and no room at all, look the same.
	h.openRoom("trauzimmer")
	for _, room := range []string{"trauzimmer", "nirgends"} {
		noCORS(preflight(fmt.Sprintf("/api/v1/rooms/%s/whip", room), foreign...))
	}
	// What is not a room's stays closed to that page.
	h.ask("POST", "/api/v1/visits", visitBody("bauamt", "Ilse"), foreign...).wants(t, 403, "foreign-origin")
}
