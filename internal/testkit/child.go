package testkit

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// command says how to start a child.
type command struct {
	name string // for messages
	path string
	args []string
	env  []string
	dir  string
	user *owner // nil: ourselves
	out  *output
	errs *output // nil: the same as out
}

// child is a started process and all that it starts in turn. Its methods are
// safe for concurrent use.
type child struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended and err is set
	err  error         // how it ended; read after done

	mu     sync.Mutex
	frozen []int // guarded by mu; process ids to be continued
}

// startChild starts c in a process group of its own.
//
// The kernel kills a child with a parent-death signal when the *thread* that
// started it ends, so the thread is held by a goroutine that lives exactly as
// long as the child: it starts it, and then waits for it.
func startChild(c command) (*child, error) {
	cmd := exec.Command(c.path, c.args...)
	cmd.Env, cmd.Dir = c.env, c.dir
	cmd.Stdout, cmd.Stderr = c.out, c.out
	if c.errs != nil {
		cmd.Stderr = c.errs
	}
	cmd.SysProcAttr = dieWithParent()
	cmd.SysProcAttr.Setpgid = true
	if c.user != nil {
		cmd.SysProcAttr.Credential = c.user.credential()
	}
	// A grandchild that outlives the child holds its output open.
	cmd.WaitDelay = time.Second

	p := &child{name: c.name, cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("testkit: start %s: %w", c.name, err)
	}
	return p, nil
}

// pid is the child's process id, which is its group's too.
func (p *child) pid() int { return p.cmd.Process.Pid }

// ended reports whether the child has been waited for.
func (p *child) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// signal sends sig to the child alone.
func (p *child) signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("testkit: signal %s: %w", p.name, err)
	}
	return nil
}

// freeze stops the child and everything it has started. The child is stopped
// first, so that it starts nothing more; PostgreSQL's own children leave its
// process group, so they are looked up by their parent.
func (p *child) freeze() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended() {
		return fmt.Errorf("testkit: freeze %s: it has ended", p.name)
	}
	if err := signalGroup(p.pid(), syscall.SIGSTOP); err != nil {
		return fmt.Errorf("testkit: freeze %s: %w", p.name, err)
	}
	p.frozen = descendants(p.pid())
	for _, pid := range p.frozen {
		_ = syscall.Kill(pid, syscall.SIGSTOP) // it may have ended by itself
	}
	return nil
}

// thaw continues what freeze stopped.
func (p *child) thaw() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pid := range p.frozen {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	p.frozen = nil
	if p.ended() {
		return nil
	}
	if err := signalGroup(p.pid(), syscall.SIGCONT); err != nil {
		return fmt.Errorf("testkit: thaw %s: %w", p.name, err)
	}
	return nil
}

// kill ends the child and everything it has started as a power cut would, and
// waits until nothing of it runs. A child that has ended already is no error.
func (p *child) kill() error {
	if p.ended() {
		return nil
	}
	if err := p.freeze(); err != nil && !p.ended() {
		return err
	}
	p.mu.Lock()
	orphans := p.frozen
	p.frozen = nil
	p.mu.Unlock()
	_ = signalGroup(p.pid(), syscall.SIGKILL)
	for _, pid := range orphans {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if !p.waitFor(10 * time.Second) {
		return fmt.Errorf("testkit: kill %s: process %d is still there after 10s", p.name, p.pid())
	}
	return awaitGone(p.name, orphans)
}

// stop sends sig, waits for an orderly end, and kills what is not gone within
// grace.
func (p *child) stop(sig os.Signal, grace time.Duration) error {
	if err := p.thaw(); err != nil {
		return err
	}
	if err := p.signal(sig); err != nil {
		return err
	}
	if p.waitFor(grace) {
		return nil
	}
	if err := p.kill(); err != nil {
		return err
	}
	return fmt.Errorf("testkit: stop %s: not ended %s after %s, so it was killed", p.name, grace, sig)
}

// waitFor reports whether the child ended within timeout.
func (p *child) waitFor(timeout time.Duration) bool {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}

// signalGroup signals a process group; one that is gone is no error.
func signalGroup(pgid int, sig syscall.Signal) error {
	if err := syscall.Kill(-pgid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal process group %d: %w", pgid, err)
	}
	return nil
}

// awaitGone returns when none of the killed processes runs any more: a
// database may not be started on its old directory before.
func awaitGone(name string, pids []int) error {
	return poll(10*time.Second, 2*time.Millisecond, func() error {
		for _, pid := range pids {
			if running(pid) {
				return fmt.Errorf("testkit: kill %s: process %d still runs", name, pid)
			}
		}
		return nil
	})
}
