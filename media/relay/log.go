package relay

import (
	"github.com/pion/logging"
)

// logFactory takes the library's log. Its lines carry addresses of citizens in their arguments, and it writes several per
// packet: so only warnings and errors are counted, and told, on level debug, by their constant format alone.
type logFactory struct{ relay *Relay }

// NewLogger is part of pion's LoggerFactory.
func (f logFactory) NewLogger(string) logging.LeveledLogger { return leveled(f) }

type leveled struct{ relay *Relay }

func (l leveled) tell(format string) {
	l.relay.count.faults.Add(1)
	l.relay.cfg.Log.Debug("turn library", "format", format)
}

// The methods below are pion's LeveledLogger.

func (leveled) Trace(string)          {}
func (leveled) Tracef(string, ...any) {}
func (leveled) Debug(string)          {}
func (leveled) Debugf(string, ...any) {}
func (leveled) Info(string)           {}
func (leveled) Infof(string, ...any)  {}

func (l leveled) Warn(string)                    { l.tell("") }
func (l leveled) Warnf(format string, _ ...any)  { l.tell(format) }
func (l leveled) Error(string)                   { l.tell("") }
func (l leveled) Errorf(format string, _ ...any) { l.tell(format) }
