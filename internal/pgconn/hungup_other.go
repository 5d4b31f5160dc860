//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package pgconn

import "net"

// hungUp cannot be told here without blocking; the next statement tells.
func hungUp(net.Conn) bool { return false }
