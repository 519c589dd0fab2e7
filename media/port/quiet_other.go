//go:build !linux

package port

import "net"

// Quiet leaves a socket as the library has it.
func Quiet(c net.Conn) (net.Conn, error) { return c, nil }
