package apart

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// kind says what a frame is.
type kind byte

// Kinds of frame. Their numbers are no contract: both ends are one program.
const (
	around kind = 1 + iota // to media: an Around
	call                   // to media: a request; its answer has the same number
	ping                   // to media: wants an alive of the same number
	end                    // to media: close everything and exit
	ready                  // to the office: the first frame
	answer                 // to the office
	event                  // to the office: a media.Event
	alive                  // to the office
)

// Sizes of a frame's body in bytes. Descriptions of browsers are small; an offer of ours grows with the room, and with 250
// people who send sound and picture it has some 500 KiB.
const (
	mostToMedia  = 1 << 20
	mostToOffice = 4 << 20
	headSize     = 4 + 1 + 8
)

// Errors by which a life ends: the media process does not keep to the rules.
var (
	errTooLong   = errors.New("a frame is too long")
	errMalformed = errors.New("a frame is malformed")
	errUnasked   = errors.New("a frame answers nothing")
	errFlood     = errors.New("too many frames")
)

// frame is one message on the control socket.
type frame struct {
	kind   kind
	number uint64
	body   []byte
}

// pack makes the bytes of a frame with this value in its body; nil stands for an empty one.
func pack(k kind, number uint64, value any, most int) ([]byte, error) {
	var body []byte
	if value != nil {
		var err error
		if body, err = json.Marshal(value); err != nil {
			return nil, fmt.Errorf("pack frame: %w", err)
		}
	}
	if len(body) > most {
		return nil, fmt.Errorf("pack frame: %w", errTooLong)
	}
	b := make([]byte, headSize, headSize+len(body))
	binary.BigEndian.PutUint32(b, uint32(len(body)))
	b[4] = byte(k)
	binary.BigEndian.PutUint64(b[5:], number)
	return append(b, body...), nil
}

// readFrame reads the next one. Memory grows with what has come, not with what a head promises.
func readFrame(r io.Reader, most int) (frame, error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{kind: kind(head[4]), number: binary.BigEndian.Uint64(head[5:])}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n > int64(most) {
		return frame{}, errTooLong
	}
	body, err := io.ReadAll(io.LimitReader(r, n))
	if err == nil && int64(len(body)) < n {
		err = io.ErrUnexpectedEOF
	}
	f.body = body
	return f, err
}

// unpack reads a body strictly: one value, no unknown fields, nothing behind it.
func unpack(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return errMalformed // the decoder's words could quote what came
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errMalformed
	}
	return nil
}

// What the office takes from a media process: twice what a full room of 250 people, who all get a new offer at once, and the
// pulse come to. The stores are for the moments in which several rooms fill.
const (
	framesASecond = 2000
	framesStored  = 10000
	bytesASecond  = 32 << 20
	bytesStored   = 256 << 20
)

// budget is how much more may come.
type budget struct {
	frames, bytes float64
	at            time.Time
}

func newBudget(now time.Time) *budget { return &budget{framesStored, bytesStored, now} }

// take counts a frame. False: it is one too many.
func (b *budget) take(size int, now time.Time) bool {
	passed := now.Sub(b.at).Seconds()
	b.at = now
	b.frames = min(b.frames+passed*framesASecond, framesStored) - 1
	b.bytes = min(b.bytes+passed*bytesASecond, bytesStored) - float64(size)
	return b.frames >= 0 && b.bytes >= 0
}
