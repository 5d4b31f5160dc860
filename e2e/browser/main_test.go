// Package browser_test tests the dashboard as people use it: in Chromium, on
// whole processes, with their pointer, their keyboard and the keys of their
// roles. Every page that a test opens must stay silent on the console, ask no
// other host for anything, and break no content security policy.
package browser_test

import (
	"flag"
	"testing"

	"github.com/asyncops/asyncops/internal/testkit"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Tabs share one browser, whose pages a small machine draws one after the other.
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", "4") // the flag exists and takes a number
	}
	testkit.Main(m)
}
