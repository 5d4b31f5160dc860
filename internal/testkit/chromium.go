package testkit

import "testing"

const installChromium = "install Chromium (Debian, Ubuntu: apt-get install chromium; macOS: brew install --cask chromium)"

// Chromium returns the path of the browser in which tests open pages.
func Chromium(t testing.TB) string {
	t.Helper()
	path := findBinary("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "Chromium")
	if path == "" {
		Missing(t, "Chromium", installChromium)
	}
	return path
}

// AtEnd has Main call undo after the last test, before it looks for goroutines
// that were left behind: for what the tests of a package share. What was added
// last is undone first.
func AtEnd(undo func()) { shared.atEnd(undo) }
