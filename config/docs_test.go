package config_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asyncops/asyncops/config"
)

// row is a line of the tables of settings.
var row = regexp.MustCompile("(?m)^\\| `([a-z_]+[a-z0-9_.<>\\[\\]]*)` \\| (\\S+) \\| ([A-Za-z ]+) \\| (.+?) \\| (.+) \\|$")

// TestDocumentation compares docs/configuration.md with the settings: each is
// there with its variable, type and default, and there is no other.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tables, ok := strings.Cut(string(page), "\n## Settings\n")
	if !ok {
		t.Fatal("docs/configuration.md has no heading Settings")
	}
	type documented struct{ Path, Env, Type, Default string }
	var got, want []documented
	for _, match := range row.FindAllStringSubmatch(tables, -1) {
		got = append(got, documented{match[1], match[2], match[3], match[4]})
	}
	for _, s := range config.Settings() {
		d := documented{s.Path, "–", s.Type, "–"}
		if s.Env != "" {
			d.Env = "`" + s.Env + "`"
		}
		switch {
		case s.Default != "":
			d.Default = "`" + s.Default + "`"
		case s.Required:
			d.Default = "**required**"
		}
		want = append(want, d)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/configuration.md differs from the settings (-settings +documented):\n%s", diff)
	}
}

// TestDocumentedWords checks that the words a setting allows are in its line.
func TestDocumentedWords(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{}
	for _, match := range row.FindAllStringSubmatch(string(page), -1) {
		lines[match[1]] = match[5]
	}
	for _, s := range config.Settings() {
		for _, word := range s.Values {
			if !strings.Contains(lines[s.Path], "`"+word+"`") {
				t.Errorf("docs/configuration.md: the line of %s does not say `%s`", s.Path, word)
			}
		}
	}
}
