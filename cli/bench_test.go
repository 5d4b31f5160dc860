package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asyncops/asyncops/cli"
	"github.com/asyncops/asyncops/internal/load"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

// startDev runs asyncops dev with settings and returns its URL.
func startDev(t *testing.T, settings string) string {
	t.Helper()
	dir, addr := t.TempDir(), testkit.FreeAddr(t)
	config := filepath.Join(dir, "asyncops.yaml")
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	p := testkit.StartProcess(t, testkit.ProcessConfig{
		Package: "cmd/asyncops", Args: []string{"dev", "--config", config}, Env: []string{"ASYNCOPS_API_LISTEN=" + addr}, Dir: dir,
	})
	p.WaitHealthy(time.Minute, "http://"+addr+"/readyz")
	return "http://" + addr
}

// jobsOf lists the jobs of bench that a server has.
func jobsOf(t *testing.T, url string) []*sdk.Job {
	t.Helper()
	client, err := sdk.New(url, "", sdk.Options{MaxRetries: 50})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var jobs []*sdk.Job
	for j, err := range client.List(t.Context(), sdk.Filter{Tag: load.Tag, PageSize: 200, Payload: true}) {
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// What bench counts is what the server has.
func TestBench(t *testing.T) {
	t.Parallel()
	url := startDev(t, "")
	r := run(t, outside{env: map[string]string{"ASYNCOPS_URL": url}}, "bench", "--jobs", "1500", "--connections", "4", "--duration", "300ms",
		"--queue", "low", "--args", `{"sleep":"1ms"}`, "--output", "json")
	if r.code != cli.ExitOK || r.stderr != "" {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	var report load.Report
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatal(err)
	}
	if !report.Completed() || len(report.Failures) > 0 || report.Throughput.Completed != 1500 || report.Batches.Accepted != 1500 {
		t.Errorf("report = %s, want 1500 jobs in batches, and all completed", r.stdout)
	}
	jobs := jobsOf(t, url)
	if all := report.Lone.Jobs + report.Concurrent.Accepted + 1500; len(jobs) != all || report.Ended[job.Completed] != all {
		t.Errorf("the server has %d jobs, of which %d completed; the report has %d", len(jobs), report.Ended[job.Completed], all)
	}
	for _, j := range jobs {
		if j.Queue != "low" || j.Kind != "system.noop" || string(j.Args) != `{"sleep":"1ms"}` || !cmp.Equal(j.Tags, []string{load.Tag}) {
			t.Fatalf("job = %+v, want what the options say", j)
		}
	}
	if lone := report.Lone; lone.Submit.P50 <= 0 || lone.PickUp.P99 > 60_000 || report.Concurrent.PerSecond <= 0 || report.Throughput.PerSecond <= 0 {
		t.Errorf("report = %s, want figures", r.stdout)
	}
}

// A server that refuses is asked as often as it allows.
func TestBenchOfALimitedServer(t *testing.T) {
	t.Parallel()
	url := startDev(t, "api: {rate_limit: {requests: 5, per: 1s, burst: 5}}\n")
	r := run(t, outside{env: map[string]string{"ASYNCOPS_URL": url}}, "bench", "--jobs", "100", "--connections", "8", "--duration", "1s")
	if r.code != cli.ExitOK {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	if !regexp.MustCompile(`(?m)^submission, side by side +429 rate_limited +\d+ +\d+\.\d$`).MatchString(r.stdout) {
		t.Errorf("stdout = %s, want how often it was refused, and how long it waited", r.stdout)
	}
}

// An interruption ends it in order: it says what was measured and what is left.
func TestBenchInterrupted(t *testing.T) {
	t.Parallel()
	url := startDev(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	var stdout bytes.Buffer
	stderr := &trigger{at: regexp.MustCompile(`4 connections .* [1-9]\d* jobs`), act: cancel}
	code := cli.Run(ctx, []string{"bench", "--url", url, "--connections", "4", "--duration", "1s", "--args", `{"sleep":"50ms"}`}, cli.IO{
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: stderr, Getenv: func(string) string { return "" }, Terminal: true,
	}, cli.Hooks{})
	if code != cli.ExitFailed || !strings.HasSuffix(stderr.String(), "asyncops: interrupted\n") {
		t.Errorf("exit %d, stderr %q; want 1, interrupted at the end", code, stderr.String())
	}
	for _, want := range []string{"submission, one at a time", "submission, 4 side by side", "not seen to end"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("stdout = %s, want %q in it", stdout.String(), want)
		}
	}
	if want := regexp.MustCompile(`\d+ jobs have not been seen to end; `); !want.MatchString(stderr.String()) {
		t.Errorf("stderr = %q, want %s", stderr.String(), want)
	}
}

// trigger acts when something has been written to it.
type trigger struct {
	bytes.Buffer
	at  *regexp.Regexp
	act func()
}

func (w *trigger) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if w.at.Match(w.Bytes()) {
		w.act()
	}
	return n, err
}

// The table is the same but for its figures. Of this server every tenth job of
// a batch ends archived.
func TestBenchTable(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(&benchServer{})
	defer web.Close()
	r := run(t, outside{env: map[string]string{"ASYNCOPS_URL": web.URL}}, "bench", "--jobs", "100", "--connections", "2", "--duration", "50ms")
	if r.code != cli.ExitFailed {
		t.Errorf("exit %d, want %d, because jobs did not complete: %s", r.code, cli.ExitFailed, r.stderr)
	}
	figures, blanks := regexp.MustCompile(`\b\d+(\.\d+)?\b`), regexp.MustCompile(` {2,}`)
	golden(t, "bench-table", blanks.ReplaceAllString(figures.ReplaceAllString(r.stdout, "N"), "  "))
}

// benchServer accepts jobs and shows them as ended.
type benchServer struct {
	mu    sync.Mutex
	batch []string // guarded by mu
}

func (s *benchServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.URL.Path == "/v1/jobs/batch":
		items := make([]string, 100)
		for i := range items {
			s.batch = append(s.batch, string(job.NewID()))
			items[i] = `{"id":"` + s.batch[i] + `"}`
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = fmt.Fprintf(w, `{"accepted":100,"rejected":0,"items":[%s]}`, strings.Join(items, ","))
	case r.Method == http.MethodPost:
		w.Header().Set("Location", "/v1/jobs/"+testID)
		w.WriteHeader(http.StatusAccepted)
	case r.URL.Path == "/v1/jobs":
		items := []string{jobBody(testID, "completed", inserted)}
		for i, id := range s.batch {
			state := "completed"
			if i%10 == 0 {
				state = "archived"
			}
			items = append(items, jobBody(id, state, inserted))
		}
		_, _ = fmt.Fprintf(w, `{"items":[%s],"next_cursor":null}`, strings.Join(items, ","))
	default:
		_, _ = fmt.Fprint(w, jobBody(testID, "completed", inserted))
	}
}
