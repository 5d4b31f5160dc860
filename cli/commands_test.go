package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asyncops/asyncops/cli"
)

func TestRequestsOfCommands(t *testing.T) {
	t.Parallel()
	path := "/v1/jobs/" + testID
	everything := "submit http.request --args @ARGS --queue low --run-at 2026-11-23T10:00:00Z --delay PT30S --timeout 1m " +
		"--deadline 2026-11-24T10:00:00Z --expires-at 2026-11-25T10:00:00Z --max-attempts 3 --backoff-initial 2s --backoff-max 1h " +
		"--backoff-multiplier 3 --backoff-jitter 0 --idempotency-key k1 --tag a --tag b --retention 24h"
	tests := []struct {
		name, args, stdin string
		want              []string
	}{
		{"submit", "submit system.noop", "", []string{`POST /v1/jobs {"kind":"system.noop","args":{}}`}},
		{"submit with args", `submit system.noop --args {"sleep":"1s"}`, "", []string{`POST /v1/jobs {"kind":"system.noop","args":{"sleep":"1s"}}`}},
		{"submit from stdin", "submit system.noop --args -", ` {"big": 12345678901234567890} `, []string{`POST /v1/jobs {"kind":"system.noop","args":{"big":12345678901234567890}}`}},
		{"submit and wait", "submit system.noop --wait 3s", "", []string{`POST /v1/jobs wait=3 {"kind":"system.noop","args":{}}`}},
		{"submit with everything", everything, "", []string{
			`POST /v1/jobs {"kind":"http.request","args":{"path":"/x"},"queue":"low","run_at":"2026-11-23T10:00:00Z","delay":"30s","timeout":"1m0s",` +
				`"deadline":"2026-11-24T10:00:00Z","expires_at":"2026-11-25T10:00:00Z","max_attempts":3,` +
				`"backoff":{"initial":"2s","max":"1h0m0s","multiplier":3,"jitter":0},"idempotency_key":"k1","tags":["a","b"],"retention":"24h0m0s"}`,
		}},
		{"get and wait", "get " + testID + " --wait 3s", "", []string{"GET " + path + "?wait=3s"}},
		{"list", "list --state pending,retry --kind a.b --queue low --tag x --query word --oldest-first --payload --created-after 2026-11-23T10:00:00Z", "", []string{
			"GET /v1/jobs?created_after=2026-11-23T10%3A00%3A00Z&include=payload&kind=a.b&limit=50&order=asc&q=word&queue=low&state=pending&state=retry&tag=x",
		}},
		{"list of many", "list --limit 1000", "", []string{"GET /v1/jobs?limit=200"}},
		{"list of all", "list --limit 0", "", []string{"GET /v1/jobs?limit=200"}},
		{"schedule", `schedules add s --cron @daily --kind a.b --args {"n":1} --timezone Europe/Berlin --missed all --overlap queue --jitter 10s ` +
			"--start 2026-11-23T10:00:00Z --end 2027-11-23T10:00:00Z --paused --queue low --timeout 1m --max-attempts 3 --tag x --retention 24h", "", []string{
			`POST /v1/schedules {"name":"s","cron":"@daily","timezone":"Europe/Berlin","job":{"kind":"a.b","args":{"n":1},"queue":"low","timeout":"1m0s","max_attempts":3,` +
				`"tags":["x"],"retention":"24h0m0s"},"missed":"all","overlap":"queue","start":"2026-11-23T10:00:00Z","end":"2027-11-23T10:00:00Z","paused":true,"jitter":"10s"}`,
		}},
		{"run of a schedule, and wait", "schedules run s --wait 3s", "", []string{"POST /v1/schedules/s/run", "GET " + path + "?wait=3s"}},
		{"stats", "stats --window 7d --queue low --queue critical --kind a.b", "", []string{"GET /v1/stats?kind=a.b&queue=low&queue=critical&window=7d"}},
		{"audit", "audit --action queue. --key ops --target low --after 2026-11-23T10:00:00Z --before 2026-11-24T10:00:00Z --limit 500", "", []string{
			"GET /v1/audit?action=queue.&after=2026-11-23T10%3A00%3A00Z&before=2026-11-24T10%3A00%3A00Z&key=ops&limit=200&target=low",
		}},
		{"purge", "queues purge a/b --yes", "", []string{`POST /v1/queues/a%2Fb/purge {"confirm":"a/b"}`}},
		{"drain", "workers drain w/1", "", []string{"POST /v1/workers/w%2F1/drain"}},
		{"retry with args", "retry " + testID + ` --args {"n":1}`, "", []string{`POST ` + path + `/retry {"args":{"n":1}}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answer := []string{"200 " + jobBody(testID, "completed", inserted)}
			routes := map[string][]string{
				"POST /v1/jobs": answer, "GET " + path: answer, "POST " + path + "/retry": answer,
				"GET /v1/jobs": {`200 {"items":[],"next_cursor":null}`}, "POST /v1/schedules": {"201 " + schedule("s", "true")},
				"GET /v1/stats": {"200 " + noStats}, "GET /v1/audit": {`200 {"items":[],"next_cursor":null}`},
				"POST /v1/queues/a/b/purge": {`200 {"purged":0,"more":false}`}, "POST /v1/workers/w/1/drain": {`202 {"id":"w/1","state":"draining"}`},
				"POST /v1/schedules/s/run": {"202 " + jobBody(testID, "pending", "")},
			}
			args := strings.Fields(strings.Replace(tt.args, "@ARGS", "@"+file(t, "args.json", `{"path": "/x"}`), 1))
			r := run(t, outside{routes: routes, stdin: tt.stdin, hooks: refusing(t)}, args...)
			if r.code != cli.ExitOK {
				t.Fatalf("exit %d: %s", r.code, r.stderr)
			}
			if diff := cmp.Diff(tt.want, r.requests); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
}

func TestListStopsAtItsLimit(t *testing.T) {
	t.Parallel()
	items := strings.TrimSuffix(strings.Repeat(jobBody(testID, "pending", "")+",", 200), ",")
	routes := map[string][]string{"GET /v1/jobs": {`200 {"items":[` + items + `],"next_cursor":"c"}`}}
	r := run(t, outside{routes: routes}, "list", "--limit", "350")
	if jobs := strings.Count(r.stdout, testID); jobs != 350 || len(r.requests) != 2 {
		t.Errorf("listed %d jobs with %d requests, want 350 with 2", jobs, len(r.requests))
	}
}

// batches answers batches: each line is accepted, and ids count on.
type batches struct {
	sizes []int
	fail  func(batch int) (status int, body string)
}

func (b *batches) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	_, _ = body.ReadFrom(r.Body)
	lines := strings.Count(body.String(), "\n")
	b.sizes = append(b.sizes, lines)
	if b.fail != nil {
		if status, problem := b.fail(len(b.sizes)); status != 0 {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(problem))
			return
		}
	}
	items := strings.TrimSuffix(strings.Repeat(`{"id":"`+testID+`"},`, lines), ",")
	w.WriteHeader(http.StatusAccepted)
	_, _ = fmt.Fprintf(w, `{"accepted":%d,"rejected":0,"items":[%s]}`, lines, items)
}

func TestFileSubmission(t *testing.T) {
	t.Parallel()
	saturated := func(batch int) (int, string) {
		if batch == 2 {
			return 503, `{"status":503,"code":"saturated","detail":"too many jobs wait"}`
		}
		return 0, ""
	}
	plain, keyed := `{"kind":"system.noop"}`, `{"kind":"system.noop","idempotency_key":"k"}`
	tests := []struct {
		name   string
		line   string
		lines  int
		fail   func(int) (int, string)
		tty    bool
		code   int
		sizes  []int
		stdout string
		stderr string
	}{
		{"in chunks", plain, 2500, nil, false, 0, []int{1000, 1000, 500}, "2500      0", ""},
		{"with its progress", plain, 2500, nil, true, 0, []int{1000, 1000, 500}, "2500      0", "submitting [############..................]  40%  1000 jobs"},
		{"nothing in it", plain, 0, nil, true, 0, nil, "0         0", ""},
		{"refused for now, with keys", keyed, 1500, saturated, false, 0, []int{1000, 500, 500}, "1500      0", ""},
		{"refused for now, without keys", plain, 2500, saturated, false, 1, []int{1000, 1000}, "1000      0", "stopped at line 1001; nothing after it was sent"},
		{"of long lines", `{"kind":"` + strings.Repeat("x", 3<<20) + `"}`, 2, nil, false, 0, []int{1, 1}, "2         0", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := &batches{fail: tt.fail}
			web := httptest.NewServer(b)
			defer web.Close()
			path := file(t, "jobs.ndjson", strings.Repeat(tt.line+"\n", tt.lines))
			r := run(t, outside{env: map[string]string{"ASYNCOPS_URL": web.URL}, tty: tt.tty}, "submit", "--file", path)
			if r.code != tt.code || !cmp.Equal(b.sizes, tt.sizes) {
				t.Errorf("exit %d after batches of %v, want %d after %v: %s", r.code, b.sizes, tt.code, tt.sizes, r.stderr)
			}
			if !strings.Contains(r.stdout, tt.stdout) {
				t.Errorf("stdout = %q, want …%s…", r.stdout, tt.stdout)
			}
			if !strings.Contains(r.stderr, tt.stderr) || (tt.stderr == "") != (r.stderr == "") {
				t.Errorf("stderr = %q, want …%s…", r.stderr, tt.stderr)
			}
			if tt.tty && tt.lines > 0 && !strings.HasSuffix(r.stderr, "\r\x1b[K") {
				t.Errorf("stderr = %q, want the bar taken off at the end", r.stderr)
			}
		})
	}
}

func TestFileSubmissionTellsSomeRejections(t *testing.T) {
	t.Parallel()
	item := `{"error":{"status":422,"code":"unknown_kind","detail":"no"}},`
	routes := map[string][]string{"POST /v1/jobs/batch": {
		`202 {"accepted":0,"rejected":30,"items":[` + strings.TrimSuffix(strings.Repeat(item, 30), ",") + `]}`,
	}}
	r := run(t, outside{routes: routes, stdin: strings.Repeat("{}\n", 30)}, "submit", "--file", "-")
	if got := strings.Count(r.stderr, "unknown_kind"); got != 20 || r.code != cli.ExitFailed {
		t.Errorf("exit %d and %d rejections told, want 1 and 20", r.code, got)
	}
	if want := "asyncops: stdin: 10 more lines were rejected\n"; !strings.HasSuffix(r.stderr, want) {
		t.Errorf("stderr = %q, want …%s", r.stderr, want)
	}
}

func TestFileWaitEndsInTime(t *testing.T) {
	t.Parallel()
	routes := map[string][]string{
		"POST /v1/jobs/batch":     {`202 {"accepted":2,"rejected":0,"items":[{"id":"` + testID + `"},{"id":"` + otherID + `"}]}`},
		"GET /v1/jobs/" + testID:  {"200 " + jobBody(testID, "pending", noWorker)},
		"GET /v1/jobs/" + otherID: {"200 " + jobBody(otherID, "pending", noWorker)},
	}
	r := run(t, outside{routes: routes, stdin: "{}\n{}\n"}, "submit", "--file", "-", "--wait", "20ms")
	if !strings.Contains(r.stdout, "NOT ENDED\n2         0         2\n") || r.code != cli.ExitFailed {
		t.Errorf("exit %d, stdout %q; want 1 and 2 not ended", r.code, r.stdout)
	}
}

func TestServerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	web.Close()
	r := run(t, outside{env: map[string]string{"ASYNCOPS_URL": web.URL}}, "submit", "system.noop")
	if want := "asyncops: " + web.URL + " does not answer: connection refused; is it running, and is ASYNCOPS_URL right?\n"; r.stderr != want || r.code != cli.ExitFailed {
		t.Errorf("exit %d, stderr %q; want 1, %q", r.code, r.stderr, want)
	}
}

func TestURLFlagWins(t *testing.T) {
	t.Parallel()
	s := &server{routes: map[string][]string{"GET /v1/workers": {`200 {"items":[]}`}}}
	web := httptest.NewServer(s)
	defer web.Close()
	r := run(t, outside{env: map[string]string{"ASYNCOPS_URL": "http://127.0.0.1:1"}}, "workers", "--url", web.URL)
	if r.code != cli.ExitOK || len(s.requests()) != 1 {
		t.Errorf("exit %d after %v: %s; want the server of --url asked", r.code, s.requests(), r.stderr)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer web.Close()
	var stdout, stderr bytes.Buffer
	code := cli.Run(ctx, []string{"get", testID, "--wait", "1h", "--url", web.URL}, cli.IO{
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Getenv: func(string) string { return "" },
	}, cli.Hooks{})
	if code != cli.ExitFailed || stderr.String() != "asyncops: interrupted\n" {
		t.Errorf("exit %d, stderr %q; want 1, interrupted", code, stderr.String())
	}
}
