package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// What the media process may write, lest one that was taken over fills the disk. The rest is counted.
const (
	mostLine    = 4 << 10 // bytes; of a longer one the beginning
	linesASpell = 100
	spell       = time.Second
)

// joinLog joins the lines of the media process into the office's log until it ends, and closes r.
func joinLog(ctx context.Context, r io.ReadCloser, log *slog.Logger) {
	defer r.Close()
	log = log.With("process", mediaVerb)
	lines := bufio.NewReaderSize(r, mostLine)
	var began time.Time
	written, withheld := 0, 0
	for {
		line, err := lines.ReadSlice('\n')
		begin := bytes.Clone(line)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = lines.ReadSlice('\n')
		}
		if now := time.Now(); now.Sub(began) >= spell {
			if withheld > 0 {
				log.WarnContext(ctx, "lines withheld", "lines", withheld)
			}
			began, written, withheld = now, 0, 0
		}
		switch begin = bytes.TrimSpace(begin); {
		case len(begin) == 0:
		case written >= linesASpell:
			withheld++
		default:
			written++
			writeLine(ctx, begin, log)
		}
		if err != nil {
			return // the process has ended
		}
	}
}

// writeLine writes a line of slog's JSON as it was meant, and any other, like those of Go's run time after a fault, as it is.
func writeLine(ctx context.Context, line []byte, log *slog.Logger) {
	var said map[string]any
	var level slog.Level
	if json.Unmarshal(line, &said) != nil || level.UnmarshalText([]byte(text(said[slog.LevelKey]))) != nil {
		log.ErrorContext(ctx, "media process said", "line", string(line))
		return
	}
	message := text(said[slog.MessageKey])
	for _, key := range []string{slog.TimeKey, slog.LevelKey, slog.MessageKey} {
		delete(said, key)
	}
	var attrs []slog.Attr
	for _, key := range slices.Sorted(maps.Keys(said)) {
		attrs = append(attrs, slog.Any(key, said[key]))
	}
	log.LogAttrs(ctx, level, message, attrs...) //nolint:sloglint // it was constant over there
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
