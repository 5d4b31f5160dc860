package testkit

import (
	"testing"
	"time"
)

// Eventually calls check every interval until it returns nil, and fails the
// test with its last error once timeout has passed. It must be called from
// the test's own goroutine.
func Eventually(t testing.TB, timeout, interval time.Duration, check func() error) {
	t.Helper()
	if err := poll(timeout, interval, check); err != nil {
		t.Fatalf("not within %s: %v", timeout, err)
	}
}

// poll calls check at once and then every interval, until it returns nil or
// timeout has passed; then it returns check's last error.
func poll(timeout, interval time.Duration, check func() error) error {
	deadline := time.Now().Add(timeout)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		<-ticker.C
	}
}
