package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/config"
)

func TestExpand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	if err := os.WriteFile(file, []byte("from file ${A}\r\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := environment{"A": "one", "_b2": "two", "TRICK": "${A}"}
	tests := []struct{ value, want string }{
		{"", ""},
		{"plain $A {A} $", "plain $A {A} $"},
		{"${A}", "one"},
		{"<${A}${_b2}>", "<onetwo>"},
		{"${TRICK}", "${A}"}, // what was put in is not expanded again
		{"${NONE:-else}", "else"},
		{"${NONE:-}", ""},
		{"${A:-else}", "one"},
		{"${NONE:-a:-b$c}", "a:-b$c"},
		{"$${A}", "${A}"},
		{"$$${A}", "$${A}"},
		{"$${", "${"},
		{"$$", "$$"},
		{"${A}}", "one}"},
		{"pre ${file:" + file + "} post", "pre from file ${A} post"},
	}
	for _, test := range tests {
		got, err := config.Expand(test.value, env.Getenv)
		if err != nil || got != test.want {
			t.Errorf("Expand(%q) = %q, %v, want %q", test.value, got, err, test.want)
		}
	}
	bad := []struct{ value, want string }{
		{"${NONE}", "${NONE} is not set"},
		{"${A", "without its }"},
		{"${}", "names no variable"},
		{"${:-x}", "names no variable"},
		{"${1A}", "names no variable"},
		{"${A B}", "names no variable"},
		{"${A-x}", "names no variable"},
		{"${NONE:-${A}}", "inside another"},
		{"${file:relative}", "no absolute path"},
		{"${file:}", "no absolute path"},
		{"${file:" + dir + "/none}", "no such file"},
		{"${file:" + dir + "}", "is a directory"},
		{"${file:/dev/zero}", "larger than 1MiB"},
	}
	for _, test := range bad {
		got, err := config.Expand(test.value, env.Getenv)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Expand(%q) = %q, %v, want an error with %q", test.value, got, err, test.want)
		}
	}
}

// FuzzExpand checks that escaped text comes back as it was, whatever stands
// around it, and that no text does harm.
func FuzzExpand(f *testing.F) {
	for _, seed := range []string{"", "${A}", "$${A}", "$$${", "${A:-b}", "${A", "}{$"} {
		f.Add(seed)
	}
	env := environment{"A": "one"}
	f.Fuzz(func(t *testing.T, text string) {
		if !strings.Contains(text, "file:") {
			_, _ = config.Expand(text, env.Getenv) // must not panic
		}
		escaped := strings.ReplaceAll(text, "${", "$${")
		got, err := config.Expand(escaped, env.Getenv)
		if err != nil || got != text {
			t.Errorf("Expand(%q) = %q, %v, want %q", escaped, got, err, text)
		}
		if strings.HasSuffix(text, "$") {
			return // would escape what follows
		}
		got, err = config.Expand(escaped+"${A}", env.Getenv)
		if err != nil || got != text+"one" {
			t.Errorf("Expand(%q) = %q, %v, want %q", escaped+"${A}", got, err, text+"one")
		}
	})
}
