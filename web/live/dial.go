package live

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// maxView bounds what the box may send: a desk's view with some hundred visits.
const maxView = 4 << 20

// Conn is one live connection, seen from the page's side. Receive is for one goroutine; Send is for any.
type Conn struct {
	ws *websocket.Conn
	// transport is closed with the connection, so that a program with many of them leaks nothing.
	transport *http.Transport
}

// Dial opens a live connection. The address is https://host[:port]/api/v1/live?page=… (http for a box behind a proxy);
// header carries the authorization; config the box's certificate authority, nil for the system's.
func Dial(ctx context.Context, address string, header http.Header, config *tls.Config) (*Conn, error) {
	transport := &http.Transport{TLSClientConfig: config, TLSHandshakeTimeout: 10 * time.Second, DisableCompression: true}
	ws, answer, err := websocket.Dial(ctx, address, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport, CheckRedirect: noRedirect},
		HTTPHeader: header,
	})
	if err != nil {
		transport.CloseIdleConnections()
		if answer != nil && answer.StatusCode != http.StatusSwitchingProtocols {
			return nil, &RefusedError{Status: answer.StatusCode}
		}
		return nil, fmt.Errorf("dial live connection: %w", err)
	}
	ws.SetReadLimit(maxView)
	return &Conn{ws: ws, transport: transport}, nil
}

// RefusedError says with which status the box refused the connection.
type RefusedError struct{ Status int }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("live connection refused: status %d", e.Status)
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Receive waits for the next message.
func (c *Conn) Receive(ctx context.Context) (ServerMessage, error) {
	kind, b, err := c.ws.Read(ctx)
	if err != nil {
		return ServerMessage{}, fmt.Errorf("receive: %w", err)
	}
	if kind != websocket.MessageText {
		return ServerMessage{}, errors.New("receive: binary message")
	}
	return DecodeServer(b)
}

// Send writes one message. The context's end closes the connection.
func (c *Conn) Send(ctx context.Context, m ClientMessage) error {
	b, err := m.Encode()
	if err != nil {
		return err
	}
	return c.SendRaw(ctx, b)
}

// SendRaw writes a message that is encoded already; tests send wrong ones by it.
func (c *Conn) SendRaw(ctx context.Context, b []byte) error {
	if err := c.ws.Write(ctx, websocket.MessageText, b); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// Close says goodbye and ends the connection.
func (c *Conn) Close() error {
	err := c.ws.Close(websocket.StatusNormalClosure, "")
	c.transport.CloseIdleConnections()
	if err != nil {
		return fmt.Errorf("close live connection: %w", err)
	}
	return nil
}

// Abort ends the connection without a goodbye, as a lost network does.
func (c *Conn) Abort() {
	_ = c.ws.CloseNow() // nothing is to be saved
	c.transport.CloseIdleConnections()
}

// CloseCode is the code that the box closed with; -1 when err is something else.
func CloseCode(err error) int { return int(websocket.CloseStatus(err)) }
