package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// startTimeout bounds the start of a child.
const startTimeout = 60 * time.Second

// command says how to start a child.
type command struct {
	name string // for messages and the table
	path string
	args []string
	env  []string
	dir  string
	user *syscall.Credential // nil: ourselves
	stop syscall.Signal      // asks for an orderly end
}

// child is a started process. The kernel kills it when the bench ends.
type child struct {
	command
	cmd  *exec.Cmd
	log  *tail
	done chan struct{} // closed when it has ended
}

// start starts c. The kernel ties the child to the thread that started it, so
// a goroutine holds that thread for as long as the child lives.
func start(c command) (*child, error) {
	p := &child{command: c, log: &tail{}, done: make(chan struct{})}
	p.cmd = exec.Command(c.path, c.args...) //nolint:noctx // it ends by stop, or with us
	p.cmd.Env, p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = c.env, c.dir, p.log, p.log
	p.cmd.SysProcAttr = dieWithParent()
	p.cmd.SysProcAttr.Setpgid, p.cmd.SysProcAttr.Credential = true, c.user
	p.cmd.WaitDelay = time.Second
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended is asked of cmd.ProcessState
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	return p, nil
}

func (p *child) pid() int { return p.cmd.Process.Pid }

// end asks the child to end and kills what is still there after a while.
func (p *child) end() {
	_ = p.cmd.Process.Signal(p.stop)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
		<-p.done
	}
}

// await asks ready until it says yes.
func (p *child) await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended (%s): %s", p.name, p.cmd.ProcessState, p.log)
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w: %s", p.name, err, p.log)
		case <-ticker.C:
		}
	}
}

// healthy asks a process of asyncops whether it is ready.
func healthy(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s is not ready: %s", addr, response.Status)
		}
		return nil
	}
}

// tail keeps the last of what a child writes.
type tail struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

const tailBytes = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - tailBytes; over > 0 {
		t.text = bytes.Clone(t.text[over:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// freeAddr is a loopback address on which nothing listens.
func freeAddr() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// withoutSettings is env without what would configure asyncops.
func withoutSettings(env []string) []string {
	var kept []string
	for _, entry := range env {
		if !strings.HasPrefix(entry, "ASYNCOPS_") {
			kept = append(kept, entry)
		}
	}
	return kept
}

// build builds the commands of the module at root into dir.
func build(ctx context.Context, root, dir string, env []string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", dir+string(os.PathSeparator), "./cmd/...")
	cmd.Dir, cmd.Env = root, append(env, "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the commands in %s: %w\n%s", root, err, text)
	}
	return nil
}
