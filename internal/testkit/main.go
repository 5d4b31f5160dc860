package testkit

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of a package, stops the servers that they shared, looks
// for goroutines that were left behind, and exits. It belongs into TestMain.
// The options are goleak's.
func Main(m *testing.M, options ...goleak.Option) {
	code := m.Run()
	stopShared()
	if code == 0 {
		if err := goleak.Find(options...); err != nil {
			fmt.Fprintf(os.Stderr, "testkit: goroutines left behind: %v\n", err)
			code = 1
		}
	}
	os.Exit(code)
}

// shared holds what the tests of one binary have in common: servers, data
// directories to copy, built binaries. It is global because TestMain is.
var shared sharedState

type sharedState struct {
	mu       sync.Mutex
	cleanups []func() // guarded by mu; run in reverse order

	postgresData, mariadbData dataTemplate
	postgres, mariadb         sharedServer
	binaries                  binaries
}

// atEnd has Main call undo after the last test.
func (s *sharedState) atEnd(undo func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, undo)
}

// stopShared undoes, in reverse order, what tests shared.
func stopShared() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	for i := len(shared.cleanups) - 1; i >= 0; i-- {
		shared.cleanups[i]()
	}
	shared.cleanups = nil
}
