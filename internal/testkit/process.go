package testkit

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ProcessConfig says how to start one of the project's own programs.
type ProcessConfig struct {
	// Package is the program's package relative to the module's root, such as
	// "cmd/worker". It is built once for the test binary.
	Package string
	// Args are the program's arguments.
	Args []string
	// Env is added to the test's own environment, from which every ASYNCOPS_
	// variable has been removed.
	Env []string
	// Dir is the working directory; by default a fresh one of the test's.
	Dir string
}

// Process is a running program of the project. Its methods are safe for
// concurrent use, except those that wait: they fail the test at once and
// belong to the test's own goroutine.
type Process struct {
	t              testing.TB
	child          *child
	stdout, stderr *output
}

// StartProcess builds and starts a program. When the test ends it is killed if
// it still runs, and what it wrote is logged if the test failed.
func StartProcess(t testing.TB, config ProcessConfig) *Process {
	t.Helper()
	if config.Dir == "" {
		config.Dir = t.TempDir()
	}
	p := &Process{t: t, stdout: newOutput(), stderr: newOutput()}
	started, err := startChild(command{
		name: config.Package, path: Build(t, config.Package), args: config.Args, dir: config.Dir,
		env: append(cleanEnv(), config.Env...), out: p.stdout, errs: p.stderr,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.child = started
	t.Cleanup(func() {
		if err := started.kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s wrote:\n%s%s", config.Package, p.stdout.tail(), p.stderr.tail())
		}
	})
	return p
}

// Stdout returns the end of what the program wrote to its standard output.
func (p *Process) Stdout() string { return p.stdout.String() }

// Stderr returns the end of what the program wrote to its standard error.
func (p *Process) Stderr() string { return p.stderr.String() }

// PID is the program's process id.
func (p *Process) PID() int { return p.child.pid() }

// Kill ends the program as a power cut would (SIGKILL) and waits for its end.
func (p *Process) Kill() { p.t.Helper(); p.report(p.child.kill()) }

// Freeze stops the program in its tracks (SIGSTOP): its connections stay open
// and its leases run out.
func (p *Process) Freeze() { p.t.Helper(); p.report(p.child.freeze()) }

// Thaw continues a frozen program.
func (p *Process) Thaw() { p.t.Helper(); p.report(p.child.thaw()) }

// Terminate asks the program to drain and end (SIGTERM), without waiting.
func (p *Process) Terminate() { p.t.Helper(); p.report(p.child.signal(syscall.SIGTERM)) }

func (p *Process) report(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Error(err)
	}
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.child.done }

// WaitExit waits for the program's end and returns its exit code, -1 if a
// signal ended it.
func (p *Process) WaitExit(timeout time.Duration) int {
	p.t.Helper()
	if !p.child.waitFor(timeout) {
		p.t.Fatalf("testkit: %s has not ended within %s", p.child.name, timeout)
	}
	return p.child.cmd.ProcessState.ExitCode()
}

// WaitLine waits until the program has written a line for which match is
// true, to either output, and returns it without its line end.
func (p *Process) WaitLine(timeout time.Duration, match func(line string) bool) string {
	p.t.Helper()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		ended := p.child.ended()
		stdout, moreOut := p.stdout.read()
		stderr, moreErr := p.stderr.read()
		for _, text := range []string{stdout, stderr} {
			for line := range strings.Lines(text) {
				if text, whole := strings.CutSuffix(line, "\n"); whole && match(text) {
					return text
				}
			}
		}
		if ended {
			p.t.Fatalf("testkit: %s ended (exit code %d) without the line", p.child.name, p.child.cmd.ProcessState.ExitCode())
		}
		select {
		case <-moreOut:
		case <-moreErr:
		case <-p.child.done:
		case <-timer.C:
			p.t.Fatalf("testkit: %s has not written the line within %s", p.child.name, timeout)
		}
	}
}

// WaitHealthy waits until a GET of url answers 200, which is what /healthz and
// /readyz do.
func (p *Process) WaitHealthy(timeout time.Duration, url string) {
	p.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	Eventually(p.t, timeout, 20*time.Millisecond, func() error {
		if p.child.ended() {
			p.t.Fatalf("testkit: %s ended (exit code %d) before it was healthy", p.child.name, p.child.cmd.ProcessState.ExitCode())
		}
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s = %s", url, response.Status)
		}
		return nil
	})
}

// cleanEnv is the test's environment without settings of the program.
func cleanEnv() []string {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "ASYNCOPS_") {
			env = append(env, entry)
		}
	}
	return env
}

// binaries are the programs that were built for the tests.
type binaries struct {
	mu   sync.Mutex
	dir  string            // guarded by mu; "" before the first build
	path map[string]string // guarded by mu; by package
}

// Build builds a program of the project once for the test binary and returns
// its path. The package is relative to the module's root, such as
// "cmd/asyncops".
func Build(t testing.TB, pkg string) string {
	t.Helper()
	b := &shared.binaries
	b.mu.Lock()
	defer b.mu.Unlock()
	if path, ok := b.path[pkg]; ok {
		return path
	}
	if b.dir == "" {
		dir, err := os.MkdirTemp("", "asyncops-test-bin-") //nolint:usetesting // it outlives this test
		if err != nil {
			t.Fatal(err)
		}
		b.dir, b.path = dir, make(map[string]string)
		shared.atEnd(func() { _ = os.RemoveAll(dir) })
	}
	path := filepath.Join(b.dir, filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "./"+pkg)
	cmd.Dir = moduleRoot(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("testkit: build %s: %v\n%s", pkg, err, text)
	}
	b.path[pkg] = path
	return path
}

// moduleRoot is the nearest directory above the test's with a go.mod.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("testkit: no go.mod above the test's directory")
		}
	}
}
