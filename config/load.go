package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"

	"gopkg.in/yaml.v3"
)

// LoadArgs is what Load reads from.
type LoadArgs struct {
	Path    string              // of the file; empty: what ASYNCOPS_CONFIG names, or no file
	Getenv  func(string) string // os.Getenv; nil: an empty environment. An empty variable counts as unset.
	Environ func() []string     // os.Environ, for warnings about unknown variables; nil: no warnings
	// Preset changes the defaults before file and environment win over them;
	// may be nil. Maps that it sets are replaced by maps that are given.
	Preset func(*Config)
	// AllowRedisNone permits redis.url: none, for a process that is worker and
	// API in one.
	AllowRedisNone bool
	// CheckFunc finds what else is wrong with a configuration that is right as far
	// as this package knows; may be nil. Its error is Problems, of which those that
	// name a setting are put where that was given.
	CheckFunc func(*Config) error
}

// Load returns the configuration: defaults, then the file, then the
// environment, validated. The error, if any, is Problems, all of them. The
// warnings are there in either case. It starts nothing; secrets read their
// files again when they are revealed.
func Load(args LoadArgs) (*Config, []Warning, error) {
	if args.Getenv == nil {
		args.Getenv = func(string) string { return "" }
	}
	if args.Environ == nil {
		args.Environ = func() []string { return nil }
	}
	cfg := Default()
	if args.Preset != nil {
		args.Preset(cfg)
	}
	r := newReport()
	if path := orElse(args.Path, args.Getenv(PathVariable)); path != "" {
		loadFile(cfg, r, path, args.Getenv)
	}
	warnings := applyEnv(cfg, r, args)
	cfg.complete()
	validate(cfg, r, args.AllowRedisNone)
	if args.CheckFunc != nil && len(r.problems) == 0 {
		r.place(args.CheckFunc(cfg))
	}
	if err := r.sorted(); err != nil {
		return nil, warnings, err
	}
	return cfg, warnings, nil
}

func loadFile(cfg *Config, r *report, path string, getenv func(string) string) {
	content, err := os.ReadFile(path)
	if err != nil {
		r.add(origin{file: path}, "", "cannot be read: %v; correct --config or %s", cause(err), PathVariable)
		return
	}
	file := yaml.NewDecoder(bytes.NewReader(content))
	var document yaml.Node
	switch err := file.Decode(&document); {
	case errors.Is(err, io.EOF):
		return // an empty file
	case err != nil:
		r.addSyntax(path, err)
		return
	}
	var second yaml.Node
	switch err := file.Decode(&second); {
	case err == nil:
		r.add(origin{file: path, line: second.Line}, "", "has a second document; remove it and the --- before it")
	case !errors.Is(err, io.EOF):
		r.addSyntax(path, err)
	}
	d := &decoder{report: r, getenv: getenv, from: origin{file: path}}
	d.value(document.Content[0], reflect.ValueOf(cfg).Elem(), "")
}

// addSyntax notes that the file is not YAML. The library tells the line in the
// text of its error alone.
func (r *report) addSyntax(path string, err error) {
	at, text := origin{file: path}, err.Error()
	var line int
	if n, _ := fmt.Sscanf(text, "yaml: line %d:", &line); n == 1 {
		at.line = line
	}
	r.add(at, "", "is not YAML (%s); correct the syntax there or on the line before", text)
}
