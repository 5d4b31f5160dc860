package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/asyncops/asyncops/config"
)

// Run runs everything in this process.
func (c *devCmd) Run(ctx context.Context, s *session) error { return s.hooks.Dev(ctx, c.Config) }

// Run writes the starter configuration. Secrets belong into variables and
// files that it names, yet nobody else needs to read it.
func (c *initCmd) Run(s *session) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if c.Force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(c.Path, flags, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return usage("%s is there already; name another file, or say --force to replace it", c.Path)
	}
	if err == nil {
		_, err = f.WriteString(config.Starter())
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return s.print(map[string]string{"path": c.Path}, []string{"wrote " + c.Path}, func() [][]string { return nil })
}

// Run brings a schema up to date.
func (c *migrateCmd) Run(ctx context.Context, s *session) error {
	cfg, err := s.load(c.Config, true, nil)
	if err != nil {
		return err
	}
	if _, known := cfg.Databases[c.Target]; c.Target != "" && !known {
		names := slices.Sorted(func(yield func(string) bool) {
			for name := range cfg.Databases {
				if !yield(name) {
					return
				}
			}
		})
		return usage("--target: there is no database %q in the configuration; there are %s", c.Target, orNone(names))
	}
	text, err := s.hooks.Migrate(ctx, cfg, c.Target, c.Print)
	if err != nil {
		return err
	}
	if s.json() {
		return s.printJSON(map[string]string{"output": text})
	}
	if _, err := fmt.Fprintln(s.Stdout, strings.TrimRight(text, "\n")); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// Run tells whether the configuration is right and, if asked to, whether the
// servers that it names answer.
func (c *configCheckCmd) Run(ctx context.Context, s *session) error {
	cfg, err := s.load(c.Config, false, s.hooks.Check)
	if err != nil {
		return err
	}
	if !c.Connect {
		return s.print(map[string]bool{"ok": true}, []string{"the configuration is right"}, func() [][]string { return nil })
	}
	found := s.hooks.Connect(ctx, cfg)
	err = s.print(found, []string{"SERVER", "STATUS", "DETAIL"}, func() [][]string {
		rows := make([][]string, len(found))
		for i, f := range found {
			rows[i] = []string{f.Name, f.Status, f.Detail}
		}
		return rows
	})
	if err == nil && slices.ContainsFunc(found, func(f Connection) bool { return !f.OK }) {
		err = errTold
	}
	return err
}

// Run shows what is installed.
func (versionCmd) Run(s *session) error {
	type version struct {
		Build
		Go       string `json:"go"`
		Platform string `json:"platform"`
	}
	v := version{s.hooks.Build, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
	revision := v.Revision
	if revision == "" {
		revision = "unknown"
	}
	line := fmt.Sprintf("asyncops %s (%s) %s %s", v.Version, revision, v.Go, v.Platform)
	return s.print(v, []string{line}, func() [][]string { return nil })
}
