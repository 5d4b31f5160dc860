package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// requireVariable turns the skip of a test whose server is not installed into
// a failure.
const requireVariable = "ASYNCOPS_REQUIRE_SERVICES"

// Missing ends the test because something is not installed: a skip that says
// what to install, or a failure when ASYNCOPS_REQUIRE_SERVICES is 1.
func Missing(t testing.TB, what, install string) {
	t.Helper()
	if os.Getenv(requireVariable) == "1" {
		t.Fatalf("testkit: %s is not installed and %s=1: %s", what, requireVariable, install)
	}
	t.Skipf("testkit: %s is not installed: %s", what, install)
}

// serverPlaces are directories that hold server binaries without being in
// everybody's PATH.
var serverPlaces = []string{
	"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
	"/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin", "/snap/bin", "/Applications/Chromium.app/Contents/MacOS",
}

// findBinary returns the path of the first of names that is installed, in
// PATH or in serverPlaces, the highest version first; "" if none is.
func findBinary(names ...string) string {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		for _, place := range serverPlaces {
			found, err := filepath.Glob(filepath.Join(place, name))
			if err != nil || len(found) == 0 {
				continue
			}
			return slices.MaxFunc(found, func(a, b string) int { return firstNumber(a) - firstNumber(b) })
		}
	}
	return ""
}

// firstNumber reads the first run of digits in a path, its version.
func firstNumber(path string) int {
	start := strings.IndexAny(path, "0123456789")
	if start < 0 {
		return 0
	}
	end := start
	for end < len(path) && path[end] >= '0' && path[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(path[start:end])
	return n
}
