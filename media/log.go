package media

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/pion/logging"
)

// pionLines is how many lines of the libraries are passed on within a second. The rest is counted.
const pionLines = 5

// pionLog turns the libraries' log lines into ours. Their messages are full of addresses and credentials, so of a
// formatted line only the format is kept, which is a constant of their source, and of a ready-made one nothing but
// where it came from.
type pionLog struct {
	log *slog.Logger
	now func() time.Time

	mu       sync.Mutex
	second   int64 // guarded by mu
	lines    int   // guarded by mu; in this second
	withheld int   // guarded by mu; since the last line
}

// NewLogger implements logging.LoggerFactory.
func (p *pionLog) NewLogger(scope string) logging.LeveledLogger {
	return pionScope{pionLog: p, scope: scope}
}

// allow takes one line of this second's share and tells how many were withheld before it.
func (p *pionLog) allow() (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.now().Unix(); s != p.second {
		p.second, p.lines = s, 0
	}
	if p.lines >= pionLines {
		p.withheld++
		return 0, false
	}
	p.lines++
	n := p.withheld
	p.withheld = 0
	return n, true
}

type pionScope struct {
	*pionLog
	scope string
}

// say passes a line on. What a library calls an error is as a rule a peer's doing, so nothing here is above debug: what
// the operator must know the plane finds out and says itself.
func (s pionScope) say(level, format string) {
	if !s.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	withheld, ok := s.allow()
	if !ok {
		return
	}
	s.log.Debug("webrtc library", "scope", s.scope, "severity", level, "format", format, "withheld", withheld)
}

// The methods of logging.LeveledLogger. Trace and debug are dropped: some stand on the path of every packet.
func (s pionScope) Trace(string)                   {}
func (s pionScope) Tracef(string, ...any)          {}
func (s pionScope) Debug(string)                   {}
func (s pionScope) Debugf(string, ...any)          {}
func (s pionScope) Info(string)                    {}
func (s pionScope) Infof(string, ...any)           {}
func (s pionScope) Warn(string)                    { s.say("warn", "") }
func (s pionScope) Warnf(format string, _ ...any)  { s.say("warn", format) }
func (s pionScope) Error(string)                   { s.say("error", "") }
func (s pionScope) Errorf(format string, _ ...any) { s.say("error", format) }
