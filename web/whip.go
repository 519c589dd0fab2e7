package web

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"schalter/appliance"
	"schalter/appliance/hall"
)

// WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): an encoder publishes into an open room, or somebody views it, with one
// POST of an offer. The seat that it gives is a resource of its own; only the token that made it finds it.
const (
	whipPath = "/api/v1/rooms/{room}/whip"
	whepPath = "/api/v1/rooms/{room}/whep"
	seatPath = "/{seat}"

	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag" // RFC 8840
)

func (w *Web) postWHIP(c *call) error   { return w.seatGuest(c, hall.Publishes) }
func (w *Web) postWHEP(c *call) error   { return w.seatGuest(c, hall.Views) }
func (w *Web) patchWHIP(c *call) error  { return w.reviseGuest(c, hall.Publishes) }
func (w *Web) patchWHEP(c *call) error  { return w.reviseGuest(c, hall.Views) }
func (w *Web) deleteWHIP(c *call) error { return w.dismissGuest(c, hall.Publishes) }
func (w *Web) deleteWHEP(c *call) error { return w.dismissGuest(c, hall.Views) }

// room is the room that the path names, if the caller's token is for it. Another room looks like none.
func (c *call) room() (appliance.RoomName, error) {
	name := appliance.RoomName(c.r.PathValue("room"))
	if c.by.pass == nil || c.by.pass.Room.Name.Key() != name.Key() {
		return "", refuse(http.StatusNotFound, "not-found")
	}
	return c.by.pass.Room.Name, nil
}

// seatGuest answers an offer with a seat.
func (w *Web) seatGuest(c *call, part hall.Part) error {
	room, err := c.room()
	if err != nil {
		return err
	}
	h := c.rw.Header()
	if !c.comesAs(typeSDP) {
		h.Set("Accept-Post", typeSDP)
		return refuse(http.StatusUnsupportedMediaType, "not-sdp")
	}
	if !takes(c.r.Header.Values("Accept"), typeSDP) {
		return refuse(http.StatusNotAcceptable, "not-acceptable")
	}
	if !bytes.HasPrefix(c.body, []byte("v=0")) {
		return refuse(http.StatusBadRequest, "malformed")
	}
	if wait := w.seats.spend(string(c.by.hash)); wait > 0 {
		return &refusal{status: http.StatusTooManyRequests, code: "too-fast", wait: wait}
	}
	seat, err := w.hall.Welcome(c.ctx(), hall.Guest{
		Room: room, Part: part, Token: c.by.hash, SDP: string(c.body), Reached: reached(c.r.Host),
	})
	if err != nil {
		return err
	}
	h.Set("Location", strings.Replace(c.route.pattern, "{room}", url.PathEscape(string(room)), 1)+"/"+string(seat.Seat))
	h.Set("ETag", strconv.Quote(seat.Tag))
	h.Set("Accept-Patch", typeFragment)
	for _, r := range seat.Relay {
		addLinks(h, r)
	}
	writeText(c.rw, http.StatusCreated, typeSDP, seat.SDP)
	return nil
}

// addLinks tells the way to a relay (RFC 9725, section 4.6), with credentials for this seat alone.
func addLinks(h http.Header, r hall.Relay) {
	for _, u := range r.URLs {
		h.Add("Link", "<"+u+`>; rel="ice-server"; username=`+quoted(r.Username)+"; credential="+quoted(r.Password)+
			`; credential-type="password"`)
	}
}

// quoted is a quoted-string (RFC 9110, section 5.6.4).
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// reviseGuest takes candidates, which need no answer, or an ICE restart.
func (w *Web) reviseGuest(c *call, part hall.Part) error {
	at, err := c.seat(part)
	if err != nil {
		return err
	}
	h := c.rw.Header()
	if !c.comesAs(typeFragment) {
		h.Set("Accept-Patch", typeFragment)
		return refuse(http.StatusUnsupportedMediaType, "not-sdp-fragment")
	}
	tags := entityTags(c.r.Header.Values("If-Match"))
	if len(tags) == 0 {
		return refuse(http.StatusPreconditionRequired, "tag-missing") // RFC 9725, section 4.3.1
	}
	revised, err := w.hall.Revise(c.ctx(), at, hall.Revision{Fragment: string(c.body), Tags: tags})
	var stale *appliance.Error
	if errors.As(err, &stale) && stale.Code == "tag-stale" {
		return refuse(http.StatusPreconditionFailed, stale.Code)
	}
	if err != nil {
		return err
	}
	if revised.Fragment == "" {
		h.Set("Cache-Control", "no-store")
		c.rw.WriteHeader(http.StatusNoContent)
		return nil
	}
	h.Set("ETag", strconv.Quote(revised.Tag))
	writeText(c.rw, http.StatusOK, typeFragment, revised.Fragment)
	return nil
}

// dismissGuest ends a seat. If-Match does not matter here (RFC 9725, section 4.3.1).
func (w *Web) dismissGuest(c *call, part hall.Part) error {
	at, err := c.seat(part)
	if err == nil {
		err = w.hall.Dismiss(c.ctx(), at)
	}
	if err != nil {
		return err
	}
	c.rw.Header().Set("Cache-Control", "no-store")
	c.rw.WriteHeader(http.StatusOK)
	return nil
}

func (c *call) seat(part hall.Part) (hall.GuestSeat, error) {
	room, err := c.room()
	return hall.GuestSeat{Room: room, Part: part, Token: c.by.hash, Seat: hall.SeatID(c.r.PathValue("seat"))}, err
}

// preflight says what may be sent here: to anyone, because browsers ask before they know a token. The rest of its answer,
// whether a foreign page may use the room, letIn has written.
func (w *Web) preflight(c *call) error {
	h := c.rw.Header()
	if c.r.PathValue("seat") == "" {
		h.Set("Allow", "OPTIONS, POST")
		h.Set("Accept-Post", typeSDP)
	} else {
		h.Set("Allow", "DELETE, OPTIONS, PATCH")
		h.Set("Accept-Patch", typeFragment)
	}
	h.Set("Cache-Control", "no-store")
	c.rw.WriteHeader(http.StatusOK)
	return nil
}

// letIn tells whether a request's foreign page is one that the room names, and if so tells the browser (CORS). There is one
// answer for a room that does not name it and for no room at all.
func (w *Web) letIn(c *call) (bool, error) {
	h := c.rw.Header()
	h.Add("Vary", "Origin")
	values := c.r.Header.Values("Origin")
	if len(values) != 1 {
		return false, nil
	}
	lets, err := w.hall.Lets(c.ctx(), appliance.RoomName(c.r.PathValue("room")), values[0])
	if err != nil || !lets {
		return false, err
	}
	h.Set("Access-Control-Allow-Origin", values[0])
	h.Set("Access-Control-Expose-Headers", "Accept-Patch, ETag, Link, Location, Retry-After")
	if c.r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "DELETE, PATCH, POST")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match")
		h.Set("Access-Control-Max-Age", "600")
	}
	return true, nil
}

// comesAs tells whether the body is of a type.
func (c *call) comesAs(want string) bool {
	kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	return err == nil && kind == want
}

// takes tells whether an asker who sent these Accept headers takes a type. None at all takes everything.
func takes(accept []string, want string) bool {
	group, _, _ := strings.Cut(want, "/")
	given := false
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		given = true
		kind, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		if q, err := strconv.ParseFloat(parameters["q"], 64); err == nil && q <= 0 {
			continue
		}
		if kind == want || kind == "*/*" || kind == group+"/*" {
			return true
		}
	}
	return !given
}

// entityTags reads If-Match (RFC 9110, section 13.1.1): "*", or strong tags without their quotes. Weak ones match nothing.
func entityTags(values []string) (tags []string) {
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		part = strings.TrimSpace(part)
		switch {
		case part == "*":
			tags = append(tags, part)
		case len(part) >= 2 && part[0] == '"' && part[len(part)-1] == '"' && part != `"*"`:
			tags = append(tags, part[1:len(part)-1])
		case part != "":
			tags = append(tags, "") // there, but nobody's
		}
	}
	return tags
}

func writeText(rw http.ResponseWriter, status int, kind, text string) {
	h := rw.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	rw.WriteHeader(status)
	_, _ = rw.Write([]byte(text)) // the asker went away; nothing to do
}
