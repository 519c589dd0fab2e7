package media

import (
	"errors"
	"log/slog"
	"net"
	"time"
)

// noMux is a port at which nobody arrives.
type noMux struct{}

func (noMux) GetConn(string, net.Addr) (net.PacketConn, error) { return nil, errors.New("no port") }
func (noMux) RemoveConnByUfrag(string)                         {}
func (noMux) GetListenAddresses() []net.Addr                   { return nil }
func (noMux) Close() error                                     { return nil }

func quietConfig() Config {
	return Config{Mux: noMux{}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}
