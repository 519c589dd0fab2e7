package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrNotRunning says that no daemon answers at the socket.
var ErrNotRunning = errors.New("no daemon answers")

// maxAnswer bounds what is read of an answer: a house with 10,000 living visits fits.
const maxAnswer = 8 << 20

// Client talks to the daemon that works in one directory. It is safe for several goroutines.
type Client struct {
	http *http.Client
}

// New makes a client for the daemon of dir. Nothing is opened until the first call.
func New(dir string) *Client {
	return &Client{http: &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dial(ctx, dir)
		}},
	}}
}

// dial reaches the socket through its directory's descriptor: its path may be longer than the 107 bytes that an address holds.
func dial(ctx context.Context, dir string) (net.Conn, error) {
	held, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer held.Close()
	dialer := net.Dialer{Timeout: 2 * time.Second}
	return dialer.DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/%s", held.Fd(), filepath.Base(SocketFile(dir))))
}

// Call asks one of the routes. in is sent as JSON unless nil; the answer is given as it came, and decoded into out unless nil.
// A refusal is a *Problem.
func (c *Client) Call(ctx context.Context, route string, in, out any) ([]byte, error) {
	method, path, _ := strings.Cut(route, " ")
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", path, err)
		}
		body = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://box"+path, body)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", path, err)
	}
	response, err := c.http.Do(request)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("ask %s: %w: %w", path, ErrNotRunning, err)
	case err != nil:
		return nil, fmt.Errorf("ask %s: %w", path, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read answer of %s: %w", path, err)
	}
	if response.StatusCode >= 300 {
		problem := &Problem{Title: http.StatusText(response.StatusCode), Status: response.StatusCode}
		if err := json.Unmarshal(answer, problem); err != nil {
			return nil, fmt.Errorf("read refusal of %s: %w", path, err)
		}
		return nil, problem
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			return nil, fmt.Errorf("read answer of %s: %w", path, err)
		}
	}
	return answer, nil
}
