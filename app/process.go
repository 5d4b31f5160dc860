package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/lifecycle"
	"github.com/asyncops/asyncops/observe"
)

// Exit codes of every command.
const (
	ExitOK     = 0
	ExitFailed = 1 // it did not do what it was asked to
	ExitUsage  = 2 // bad usage or settings
)

// Process is what a command is given by the system that runs it.
type Process struct {
	Args    []string // without the command's name
	Getenv  func(string) string
	Environ func() []string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer

	// Signers are the types of client authentication that are registered in Go,
	// by the name that auth: {type: custom, name: …} gives them. Processes that
	// run jobs must have those that the configuration names.
	Signers map[string]clients.Signer
}

// OS is the process as the operating system started it.
func OS() Process {
	return Process{
		Args: os.Args[1:], Getenv: os.Getenv, Environ: os.Environ, //nolint:forbidigo // the one place; config reads it
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}
}

// Version is what this build calls itself.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// revision is that of the source that was built; "" if it was not recorded.
func revision() string {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return ""
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return ""
}

// apiFlags, workerFlags and schedulerFlags are the usage of the three servers.
type apiFlags struct {
	Config string `placeholder:"FILE" help:"Configuration; default $ASYNCOPS_CONFIG."`
}

type workerFlags struct {
	apiFlags
	Listen address `default:"127.0.0.1:8081" placeholder:"ADDR|off" help:"Health and metrics port (${default})."`
}

type schedulerFlags struct {
	apiFlags
	Listen address `default:"127.0.0.1:8082" placeholder:"ADDR|off" help:"Health and metrics port (${default})."`
}

// address is host:port, where port 0 is any, or observe.Off.
type address string

// Validate refuses what nothing can listen on.
func (a address) Validate() error {
	if a == observe.Off {
		return nil
	}
	_, port, err := net.SplitHostPort(string(a))
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%q is not an address; want host:port, :port or %s", string(a), observe.Off)
	}
	return nil
}

// parse reads a server's flags. Unless ok, exit is the code to end with.
func (p Process) parse(name, description string, flags any) (exit int, ok bool) {
	exited := -1
	parser, err := kong.New(flags, kong.Name(name), kong.Description(description), kong.Writers(p.Stdout, p.Stderr),
		kong.Exit(func(code int) { exited = code }))
	if err != nil {
		return p.fail(ExitUsage, err), false
	}
	_, err = parser.Parse(p.Args)
	switch {
	case exited >= 0: // --help
		return exited, false
	case err != nil:
		return p.fail(ExitUsage, fmt.Errorf("%s: %w (see --help)", name, err)), false
	}
	return ExitOK, true
}

func (p Process) fail(code int, err error) int {
	_, _ = fmt.Fprintln(p.Stderr, err) // there is nobody else to tell
	return code
}

// load reads the configuration. Its error has a line for each problem.
func (p Process) load(path string, edit func(*config.LoadArgs)) (*config.Config, *slog.Logger, error) {
	args := config.LoadArgs{Path: path, Getenv: p.Getenv, Environ: p.Environ, CheckFunc: func(cfg *config.Config) error {
		if len(cfg.Schedules) == 0 {
			return nil // open tells of all else
		}
		return checkSettings(cfg, p.Signers)
	}}
	if edit != nil {
		edit(&args)
	}
	cfg, warnings, err := config.Load(args)
	if err != nil {
		return nil, nil, err
	}
	log := observe.Logger(p.Stderr, cfg.Observability.LogLevel, cfg.Observability.LogFormat)
	for _, w := range warnings {
		log.Warn("configuration", "warning", w.String())
	}
	for _, setting := range unused(cfg) {
		log.Warn("this release does not act on a setting", "setting", setting)
	}
	return cfg, log, nil
}

// gcPercent trades memory for CPU: a server keeps little but makes much garbage,
// and collected at Go's 100 % it spends an eighth of its CPU on that.
const gcPercent = 400

// run starts the parts, and stops them when ctx ends.
func (s *system) run(ctx context.Context, p Process) error {
	if p.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	}
	err := errors.Join(lifecycle.Run(ctx, s.log, s.parts...), s.close())
	if err != nil {
		return err
	}
	s.log.Info("stopped in order")
	return nil
}

// untilSignal returns a context that ends when the process is told to stop. A
// second signal then ends the process at once.
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	told := make(chan os.Signal, 1)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-told:
		case <-ctx.Done():
		}
		// Back to the system's way with signals, before anybody can see that the
		// process stops and sends the second.
		signal.Stop(told)
		cancel()
	}()
	return ctx, cancel
}

// exit tells the error and returns the process's exit code.
func (p Process) exit(err error) int {
	var problems config.Problems
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &problems):
		return p.fail(ExitUsage, problems)
	}
	return p.fail(ExitFailed, err)
}

// settings makes problems of errors that say what is wrong with a setting.
func settings(err error) error {
	if err == nil {
		return nil
	}
	var problems config.Problems
	for _, line := range strings.Split(err.Error(), "\n") {
		problems = append(problems, config.Problem{Message: line})
	}
	return problems
}
