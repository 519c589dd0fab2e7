package web

import (
	"crypto/sha256"
	"errors"
	"io"
	"mime"
	"net/http"

	"schalter/appliance/hall"
	"schalter/web/live"
)

// maxBody bounds every request's body, in bytes.
const maxBody = 64 << 10

// read takes the whole body, within the limit.
func read(rw http.ResponseWriter, r *http.Request) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxBody))
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return nil, refuse(http.StatusRequestEntityTooLarge, "body-too-large")
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "malformed") // broken off, too slow, bad chunks
	}
	return b, nil
}

// decode reads the body as strict JSON into v. An empty body is an empty object where mayLack; whether a value that
// lacks is needed is for the house to say (422).
func (c *call) decode(v any, mayLack bool) error {
	if len(c.body) == 0 && mayLack {
		return nil
	}
	kind, parameters, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	charset, given := parameters["charset"]
	if err != nil || kind != "application/json" || given && charset != "utf-8" && charset != "UTF-8" {
		return refuse(http.StatusUnsupportedMediaType, "not-json")
	}
	if _, err := live.Unmarshal(c.body, v); err != nil {
		return refuse(http.StatusBadRequest, "malformed")
	}
	return nil
}

// noBody refuses a body where the call has nothing to say with one, but for an empty object.
func (c *call) noBody() error { return c.decode(&struct{}{}, true) }

// readKey reads the Idempotency-Key: 1 to 255 visible ASCII characters, scoped to the caller and this very path.
func (c *call) readKey() (*hall.Key, error) {
	values := c.r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return nil, nil
	}
	if len(values) > 1 || !visible(values[0]) {
		return nil, &refusal{status: http.StatusBadRequest, code: "key-malformed", field: "Idempotency-Key"}
	}
	return c.keyOf(values[0], c.body), nil
}

func (c *call) keyOf(value string, body []byte) *hall.Key {
	return &hall.Key{
		Caller: c.by.scope(), Route: c.r.Method + " " + c.scopePath(), Value: value, Body: sha256.Sum256(body),
	}
}

// scopePath is the path for a key's scope. A link page's path is a secret and its caller says the same, so its pattern is
// taken instead.
func (c *call) scopePath() string {
	if c.route.link {
		return c.route.pattern
	}
	return c.r.URL.Path
}

func visible(value string) bool {
	if len(value) < 1 || len(value) > 255 {
		return false
	}
	for i := range len(value) {
		if value[i] <= ' ' || value[i] > '~' {
			return false
		}
	}
	return true
}
