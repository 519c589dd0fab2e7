package web

import (
	"io"
	"log"
	"net/http"
	"time"
)

// Server makes the http.Server for this Web, with all its limits. The caller serves on it and shuts it down; then it
// calls Close, because Shutdown does not know the live connections.
func (w *Web) Server() *http.Server {
	return &http.Server{
		Handler:           w,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second, // a whole request; bodies are at most 64 KiB
		WriteTimeout:      60 * time.Second, // the largest asset on a slow line
		IdleTimeout:       75 * time.Second,
		MaxHeaderBytes:    16 << 10,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 64, MaxReadFrameSize: 64 << 10},
		ErrorLog:          log.New(connectionLog{&w.counters}, "", 0),
	}
}

// connectionLog takes what net/http would print. The lines hold addresses ("TLS handshake error from …"), so they are
// counted and dropped. Panics of handlers do not come here: ServeHTTP catches them itself.
type connectionLog struct{ counters *counters }

func (l connectionLog) Write(b []byte) (int, error) {
	l.counters.connection.Add(1)
	return io.Discard.Write(b)
}
