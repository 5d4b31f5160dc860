package testkit

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Ports are taken from below the range that kernels use for outgoing
// connections, so that the port of a killed server is still free when it is
// restarted.
const (
	firstPort = 15000
	lastPort  = 31999
)

// FreeAddr returns a loopback address, 127.0.0.1:port, on which nothing
// listens and which no other test process on this machine is given until the
// test ends.
func FreeAddr(t testing.TB) string {
	t.Helper()
	port, release, err := reservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return loopback(port)
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// reservePort finds a free port and locks a file named after it, which the
// kernel unlocks when this process ends; release unlocks it earlier.
func reservePort() (port int, release func(), err error) {
	dir := filepath.Join(os.TempDir(), "asyncops-test-ports")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return 0, nil, fmt.Errorf("testkit: reserve a port: %w", err)
	}
	_ = os.Chmod(dir, 0o777) // several users may test on one machine; the owner's chmod is enough
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		lock, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o666)
		if err != nil {
			continue // another user's
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil || !listenable(port) {
			_ = lock.Close()
			continue
		}
		return port, func() { _ = lock.Close() }, nil
	}
	return 0, nil, fmt.Errorf("testkit: no free port between %d and %d", firstPort, lastPort)
}

// listenable reports whether nothing listens on the port.
func listenable(port int) bool {
	listener, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}
