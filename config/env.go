package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Environment variables that are no twin of a setting.
const (
	// PathVariable names the file where LoadArgs.Path does not.
	PathVariable = "ASYNCOPS_CONFIG"

	prefix = "ASYNCOPS_"
)

// otherVariables belong to other parts of asyncops: the command line's server
// and key, and the tests.
var otherVariables = []string{PathVariable, prefix + "URL", prefix + "API_KEY", prefix + "REQUIRE_SERVICES"}

// twin returns the environment variable of a setting.
func twin(path string) string {
	return prefix + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '<', r == '>':
			return r
		default:
			return '_'
		}
	}, path)
}

// applyEnv lets the twins of settings win over the file, and warns of
// variables with the prefix that are none.
func applyEnv(cfg *Config, r *report, args LoadArgs) []Warning {
	twins := map[string][]string{} // settings by variable
	sections := []string{}         // variables of maps, in whose place an entry's may have been meant
	walk(leaf{value: reflect.ValueOf(cfg).Elem()}, func(l leaf) {
		if l.inList {
			return
		}
		name := twin(l.path)
		twins[name] = append(twins[name], l.path)
		if l.value.Kind() == reflect.Map {
			sections = append(sections, name)
		}
		text := args.Getenv(name)
		if text == "" {
			return
		}
		d := &decoder{report: r, getenv: args.Getenv, from: origin{variable: name}}
		d.variable(text, l)
	})
	for name, settings := range twins {
		if len(settings) > 1 && args.Getenv(name) != "" {
			r.add(origin{variable: name}, settings[1], "shares its variable with %s; rename one of them, or unset the variable", settings[0])
		}
	}
	return unknownVariables(args.Environ(), twins, sections)
}

// variable reads the text of a twin: JSON for lists and maps.
func (d *decoder) variable(text string, l leaf) {
	if isScalar(l.value.Type()) {
		d.value(&yaml.Node{Kind: yaml.ScalarNode, Tag: anyTag, Value: text}, l.value, l.path)
		return
	}
	node, err := parseJSON(text)
	if err != nil {
		want := `["first","second"]`
		if l.value.Kind() != reflect.Slice {
			want = `{"name":{"key":"value"}}`
		}
		d.report.add(d.from, l.path, "%v; write it like %s", err, want)
		return
	}
	d.report.forget(l.path)
	d.value(node, l.value, l.path)
}

// unknownVariables returns a warning for every variable with the prefix that
// is neither a twin nor known otherwise.
func unknownVariables(environ []string, twins map[string][]string, sections []string) []Warning {
	known := slices.Concat(slices.Collect(maps.Keys(twins)), otherVariables)
	var warnings []Warning
	for _, entry := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, prefix) || value == "" || slices.Contains(known, name) {
			continue
		}
		message := "is not a setting" + suggestVariable(name, known, sections)
		warnings = append(warnings, Warning{Variable: name, Message: message})
	}
	return warnings
}

func suggestVariable(name string, known, sections []string) string {
	if best := closest(name, known); best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	for _, m := range sections {
		if strings.HasPrefix(name, m+"_") {
			return fmt.Sprintf("; a variable can change entries that the file has, so add the entry there, or give all of them as JSON in %s", m)
		}
	}
	return "; unset it, or correct its name"
}
