// Package e2e_test tests the whole system from outside: its own processes on
// real PostgreSQL, MariaDB and Redis servers, killed, frozen and cut off from
// each other, judged by what the REST API answers, by what is in the databases
// and by what an upstream was sent.
package e2e_test

import (
	"flag"
	"testing"

	"github.com/asyncops/asyncops/internal/testkit"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// These tests wait for leases to end and servers to come back; on a small
	// machine they would wait one after the other. With more of them at a time
	// it cannot keep the time limits of what they start.
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", "6") // the flag exists and takes a number
	}
	testkit.Main(m)
}
