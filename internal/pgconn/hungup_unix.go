//go:build linux || darwin || freebsd || netbsd || openbsd

package pgconn

import (
	"net"
	"syscall"
)

// hungUp reports whether an idle connection's peer has closed it or said
// something unasked, such as why it is about to close. It does not block and
// takes nothing from the socket.
func hungUp(c net.Conn) bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	silent := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		silent = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK || err == syscall.EINTR
		return true
	})
	return err != nil || !silent
}
