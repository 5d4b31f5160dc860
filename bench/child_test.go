package main

import (
	"slices"
	"strings"
	"testing"
)

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	var log tail
	for range 3 {
		if n, err := log.Write([]byte(strings.Repeat("a", tailBytes-1))); n != tailBytes-1 || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	if _, err := log.Write([]byte("end")); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); len(text) != tailBytes || !strings.HasSuffix(text, "aend") {
		t.Errorf("kept %d bytes ending in %q, want %d ending in aend", len(text), text[len(text)-4:], tailBytes)
	}
}

// What configures asyncops on this machine is not measured.
func TestWithoutSettings(t *testing.T) {
	t.Parallel()
	got := withoutSettings([]string{"PATH=/bin", "ASYNCOPS_LEDGER_DSN=x", "HOME=/root"})
	if want := []string{"PATH=/bin", "HOME=/root"}; !slices.Equal(got, want) {
		t.Errorf("withoutSettings = %v, want %v", got, want)
	}
}
