package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/sdk"
)

// Exit codes of Run.
const (
	ExitOK     = 0
	ExitFailed = 1 // what was asked for did not happen; also a job that was waited for and did not complete
	ExitUsage  = 2 // bad usage or settings; nothing was tried
)

// DefaultURL is the server that is called when ASYNCOPS_URL and --url say
// nothing.
const DefaultURL = "http://127.0.0.1:8080"

// IO is what a run has of the outside.
type IO struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string // os.Getenv
	Environ        func() []string     // os.Environ; may be nil
	// Terminal says that Stderr is one, so that long work shows its progress.
	Terminal bool
}

// IsTerminal reports whether f is a terminal.
func IsTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Build says what is running.
type Build struct {
	Version  string `json:"version"`  // such as v0.1.0
	Revision string `json:"revision"` // of the source; may be empty
}

// Hooks is what commands need of the rest of the system. All are required.
// What they return as config.Problems ends the run with ExitUsage.
type Hooks struct {
	Build Build
	// Dev runs everything in one process until it is told to stop. path is
	// that of the configuration; "" for none.
	Dev func(ctx context.Context, path string) error
	// Migrate brings the schema of the ledger, or with a target the effects
	// table of that database, up to date and says so in a sentence. With
	// printOnly it returns the SQL instead and changes nothing.
	Migrate func(ctx context.Context, cfg *config.Config, target string, printOnly bool) (string, error)
	// CreateKey records a key in the ledger. A name that is in use is job.ErrExists.
	CreateKey func(ctx context.Context, cfg *config.Config, key Key) error
	// Check finds what is wrong with the jobs of schedules, and with files that
	// settings name. It connects to nothing. nil for no such check.
	Check func(cfg *config.Config) error
	// Connect tries the ledger, Redis and every target once, in the order in
	// which they are to be shown.
	Connect func(ctx context.Context, cfg *config.Config) []Connection
}

// Connection is what Hooks.Connect found of one server.
type Connection struct {
	Name   string `json:"name"`   // such as "ledger" or "database main"
	OK     bool   `json:"ok"`     // Status is "ok"
	Status string `json:"status"` // ok, degraded or down
	Detail string `json:"detail"` // one line; no secret
}

// session is one run.
type session struct {
	IO
	hooks  Hooks
	flags  *global
	model  *kong.Application
	client *sdk.Client // made by connect
}

// errTold is a failure that has been told already.
var errTold = errors.New("told")

// usageError ends the run with ExitUsage.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// exit is what the parser's help panics with: it has nothing else to leave by.
type exit int

// Run carries out one command and returns the process's exit code. It returns
// early when ctx ends. args are those after the program's name.
func Run(ctx context.Context, args []string, streams IO, hooks Hooks) (code int) {
	defer func() {
		if left := recover(); left != nil {
			status, ok := left.(exit)
			if !ok {
				panic(left)
			}
			code = int(status)
		}
	}()
	s := &session{IO: streams, hooks: hooks}
	err := s.run(ctx, args)
	if s.client != nil {
		s.client.Close()
	}
	return s.explain(err)
}

func (s *session) run(ctx context.Context, args []string) error {
	var g grammar
	parser, err := kong.New(&g,
		kong.Name("asyncops"),
		kong.Description("Database operations and API calls as durable jobs."),
		kong.Writers(s.Stdout, s.Stderr),
		kong.Exit(func(status int) { panic(exit(status)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.Vars{"url": DefaultURL},
	)
	if err != nil {
		return fmt.Errorf("cli: read the grammar: %w", err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return usage("%v; see asyncops --help", err)
	}
	s.flags, s.model = &g.global, parser.Model
	parsed.BindTo(ctx, (*context.Context)(nil))
	parsed.Bind(s)
	return parsed.Run()
}

// connect returns the client of the server.
func (s *session) connect() (*sdk.Client, error) {
	if s.client != nil {
		return s.client, nil
	}
	url := cmp.Or(s.flags.URL, s.Getenv("ASYNCOPS_URL"), DefaultURL)
	client, err := sdk.New(url, s.key(), sdk.Options{UserAgent: s.userAgent()})
	if err != nil {
		return nil, usage("ASYNCOPS_URL, --url or ASYNCOPS_API_KEY: %s", strings.TrimPrefix(err.Error(), "sdk: "))
	}
	s.client = client
	return client, nil
}

func (s *session) key() string { return s.Getenv("ASYNCOPS_API_KEY") }

func (s *session) userAgent() string { return "asyncops-cli/" + s.hooks.Build.Version }

// load reads the configuration and tells its warnings.
func (s *session) load(path string, allowRedisNone bool, check func(*config.Config) error) (*config.Config, error) {
	cfg, warnings, err := config.Load(config.LoadArgs{
		Path: path, Getenv: s.Getenv, Environ: s.Environ, AllowRedisNone: allowRedisNone, CheckFunc: check,
	})
	for _, w := range warnings {
		s.tell("warning: %s", w)
	}
	return cfg, err
}

// tell writes one line that is not a result.
func (s *session) tell(format string, args ...any) {
	_, _ = fmt.Fprintln(s.Stderr, "asyncops: "+printable(fmt.Sprintf(format, args...))) // nowhere else to say it
}
