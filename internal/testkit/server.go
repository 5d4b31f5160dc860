package testkit

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// How long servers get. A cold machine with all tests at once is slow.
const (
	startTimeout = 60 * time.Second
	stopGrace    = 30 * time.Second
)

// Server is a real server process under the control of a test. Its methods
// may be called from any goroutine; what goes wrong in them fails the test
// with Errorf.
type Server struct {
	t      testing.TB
	in     *instance
	shared bool
}

// Addr is where the server listens, 127.0.0.1:port. It stays the same for the
// life of the server, whatever happens to its process.
func (s *Server) Addr() string { return loopback(s.in.port) }

// Port is the port of Addr.
func (s *Server) Port() int { return s.in.port }

// Log returns the end of what the server wrote to its output.
func (s *Server) Log() string { return s.in.out.String() }

// Kill ends the server as a power cut would (SIGKILL to all of its processes)
// and returns when nothing of it runs any more.
func (s *Server) Kill() { s.t.Helper(); s.control("kill", s.in.kill) }

// Stop ends the server in good order: its clients are disconnected, its data
// is on disk.
func (s *Server) Stop() { s.t.Helper(); s.control("stop", s.in.stop) }

// Freeze stops all of the server's processes in their tracks (SIGSTOP):
// connections stay open and nothing answers.
func (s *Server) Freeze() { s.t.Helper(); s.control("freeze", s.in.freeze) }

// Thaw continues a frozen server.
func (s *Server) Thaw() { s.t.Helper(); s.control("thaw", s.in.thaw) }

// Restart starts the server again on its old port and data and returns when
// it answers. One that still runs is stopped in good order first.
func (s *Server) Restart() { s.t.Helper(); s.control("restart", s.in.restart) }

func (s *Server) control(verb string, do func() error) {
	s.t.Helper()
	if s.shared {
		s.t.Errorf("testkit: %s %s: other tests use it too; start one of your own", verb, s.in.name)
		return
	}
	if err := do(); err != nil {
		s.t.Error(err)
	}
}

// instance is one server over all of its processes.
type instance struct {
	name    string
	port    int
	dir     string // all of its files
	start   command
	orderly os.Signal
	ready   func() error // nil once it answers
	release func()       // the port
	out     *output

	mu    sync.Mutex
	child *child // guarded by mu; nil before the first launch
}

// newInstance reserves a port and makes a directory.
func newInstance(name string, user *owner) (*instance, error) {
	port, release, err := reservePort()
	if err != nil {
		return nil, err
	}
	dir, err := user.makeDir(name)
	if err != nil {
		release()
		return nil, err
	}
	in := &instance{name: name, port: port, dir: dir, orderly: syscall.SIGTERM, release: release, out: newOutput()}
	in.start = command{name: name, env: serverEnv(), dir: dir, user: user, out: in.out}
	return in, nil
}

// launch starts the process and returns when it answers.
func (in *instance) launch() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.launchLocked()
}

func (in *instance) launchLocked() error {
	started, err := startChild(in.start)
	if err != nil {
		return err
	}
	in.child = started
	return in.awaitReady(started)
}

func (in *instance) awaitReady(started *child) error {
	var ended bool
	err := poll(startTimeout, 5*time.Millisecond, func() error {
		if ended = started.ended(); ended {
			return nil
		}
		return in.ready()
	})
	switch {
	case ended:
		return fmt.Errorf("testkit: start %s: it ended at once (%w): %s", in.name, started.err, in.out.tail())
	case err != nil:
		return fmt.Errorf("testkit: start %s: not ready after %s: %w: %s", in.name, startTimeout, err, in.out.tail())
	}
	return nil
}

func (in *instance) kill() error   { return in.withChild((*child).kill) }
func (in *instance) freeze() error { return in.withChild((*child).freeze) }
func (in *instance) thaw() error   { return in.withChild((*child).thaw) }

func (in *instance) stop() error {
	return in.withChild(func(c *child) error { return c.stop(in.orderly, stopGrace) })
}

func (in *instance) restart() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.child != nil && !in.child.ended() {
		if err := in.child.stop(in.orderly, stopGrace); err != nil {
			return err
		}
	}
	return in.launchLocked()
}

func (in *instance) withChild(do func(*child) error) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return do(in.child)
}

// discard ends the server and removes everything that it had.
func (in *instance) discard() error {
	defer in.release()
	if in.child != nil {
		if err := in.kill(); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(in.dir); err != nil {
		return fmt.Errorf("testkit: remove the files of %s: %w", in.name, err)
	}
	return nil
}

// own has the test discard the server at its end and hands out its handle.
func (in *instance) own(t testing.TB) Server {
	t.Helper()
	t.Cleanup(func() {
		if err := in.discard(); err != nil {
			t.Error(err)
		}
	})
	return Server{t: t, in: in}
}

// sharedServer is a server that the tests of one binary have in common.
type sharedServer struct {
	mu sync.Mutex
	in *instance // guarded by mu; nil until the first test asks
}

// get returns the server, launching it for the first caller.
func (s *sharedServer) get(t testing.TB, prepare func() (*instance, error)) *instance {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in != nil {
		return s.in
	}
	in, err := prepare()
	if err != nil {
		t.Fatal(err)
	}
	if err := in.launch(); err != nil {
		_ = in.discard()
		t.Fatal(err)
	}
	s.in = in
	shared.atEnd(func() { _ = in.discard() })
	return in
}

// uniqueName is a database name that nobody has.
func uniqueName() string { return "t" + strings.ToLower(rand.Text()[:16]) }
