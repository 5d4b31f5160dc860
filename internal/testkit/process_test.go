package testkit_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

const echo = "internal/testkit/testdata/echo"

func startsWith(prefix string) func(string) bool {
	return func(line string) bool { return strings.HasPrefix(line, prefix) }
}

func TestProcessLife(t *testing.T) {
	t.Setenv("ASYNCOPS_OTHER", "of the test's own environment")
	p := testkit.StartProcess(t, testkit.ProcessConfig{
		Package: echo, Args: []string{"a", "b"}, Env: []string{"ASYNCOPS_SETTING=on"},
	})
	line := p.WaitLine(time.Minute, startsWith("listening "))
	p.WaitHealthy(time.Minute, strings.TrimPrefix(line, "listening ")+"/healthz")
	if got, want := p.Stdout(), "args [a b]\nsetting on other \n"; got != want {
		t.Errorf("Stdout() = %q, want %q", got, want)
	}
	if got := p.Stderr(); got != line+"\n" {
		t.Errorf("Stderr() = %q, want %q", got, line+"\n")
	}
	p.Freeze()
	p.Terminate()
	p.Thaw()
	if got := p.WaitExit(time.Minute); got != 3 {
		t.Errorf("WaitExit() = %d, want 3", got)
	}
	if got, want := p.WaitLine(time.Minute, startsWith("drained")), "drained"; got != want {
		t.Errorf("the last line = %q, want %q", got, want)
	}
}

func TestProcessKill(t *testing.T) {
	t.Parallel()
	p := testkit.StartProcess(t, testkit.ProcessConfig{Package: echo})
	p.WaitLine(time.Minute, startsWith("listening "))
	p.Freeze()
	p.Kill()
	<-p.Done()
	if got := p.WaitExit(time.Minute); got != -1 {
		t.Errorf("WaitExit() after Kill = %d, want -1", got)
	}
	p.Kill() // of a process that has ended: nothing
}

func TestBuildOnce(t *testing.T) {
	t.Parallel()
	if first, second := testkit.Build(t, echo), testkit.Build(t, echo); first != second {
		t.Errorf("Build() = %s and then %s, want one binary", first, second)
	}
}

// What a test started must not outlive it, even if it is killed and cleans up
// nothing. The test runs itself as the one that is killed.
func TestChildrenDieWithTheTest(t *testing.T) {
	t.Parallel()
	if os.Getenv("TESTKIT_VICTIM") == "1" {
		redis, postgres := testkit.Redis(t), testkit.StartPostgres(t)
		p := testkit.StartProcess(t, testkit.ProcessConfig{Package: echo})
		line := p.WaitLine(time.Minute, startsWith("listening "))
		fmt.Println("addresses", redis.Addr(), postgres.Addr(), strings.TrimPrefix(line, "listening http://"))
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	testkit.Postgres(t) // skips when it is not installed
	testkit.Redis(t)
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells children of their parent's death")
	}
	// For what the victim leaves behind. The servers may have users of their own.
	dir, err := os.MkdirTemp("", "asyncops-test-victim-") //nolint:usetesting // TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	victim := exec.Command(os.Args[0], "-test.run=^TestChildrenDieWithTheTest$")
	victim.Env = append(os.Environ(), "TESTKIT_VICTIM=1", "TMPDIR="+dir)
	victim.WaitDelay = 10 * time.Second
	output, _ := victim.CombinedOutput() // it dies, so there is an error
	_, line, _ := strings.Cut(string(output), "addresses ")
	addresses := strings.Fields(line)
	if len(addresses) != 3 {
		t.Fatalf("the victim's addresses = %q, want three; it wrote:\n%s", addresses, output)
	}
	for _, addr := range addresses {
		testkit.Eventually(t, 10*time.Second, 10*time.Millisecond, func() error {
			if conn, err := net.Dial("tcp", addr); err == nil {
				_ = conn.Close()
				return fmt.Errorf("%s still accepts connections", addr)
			}
			return nil
		})
	}
}
