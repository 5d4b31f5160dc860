package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// A batch whose worker is told to stop while it runs goes on in the next one,
// and sends only what was not decided. Meanwhile it shows how far it has come.
func TestBatchGoesOn(t *testing.T) {
	t.Parallel()
	u := startUpstream(t)
	s := newSystem(t, "sqlite:ledger.db", "none", "sqlite:target.db")
	s.upstream(u)
	s.section("clients", "up")["max_retries"] = 3 // the upstream hangs up once
	s.section("worker")["shutdown_timeout"] = "1s"
	start := func() *testkit.Process {
		t.Helper()
		p := s.start("cmd/asyncops", "dev")
		p.WaitHealthy(startTimeout, s.url+"/readyz")
		return p
	}
	dev := start()
	const quick = 30
	var requests []object
	for i := range quick {
		requests = append(requests, object{"method": "POST", "path": fmt.Sprintf("/quick/%d", i), "body": object{"n": i}})
	}
	requests = append(requests, object{"method": "GET", "path": "/held"})
	lost := u.loseAnswer("/quick/7")
	u.hold("/held")
	args := object{"client": "up", "max_concurrent": 5, "requests": requests}
	dry := s.must(t, http.StatusOK, http.MethodPost, "/v1/jobs?dry_run=true", object{"kind": "http.batch", "args": args}).String()
	if !strings.Contains(dry, `"max_concurrent":5`) || !strings.Contains(dry, u.server.URL+"/quick/29") || !strings.Contains(dry, `"idempotency-key":"[job id].29"`) {
		t.Errorf("dry run = %s, want every request", dry)
	}
	id := s.submit(t, object{"kind": "http.batch", "args": args, "timeout": "5m"}).ID
	testkit.Eventually(t, time.Minute, 50*time.Millisecond, func() error {
		var j struct {
			State    string
			Progress struct{ Done, Total int }
		}
		if err := s.read(t.Context(), "/v1/jobs/"+id, &j); err != nil {
			return err
		}
		if j.State != "active" || j.Progress.Done != quick || j.Progress.Total != quick+1 {
			return fmt.Errorf("job = %+v, want it active with all but one decided", j)
		}
		return nil
	})
	<-lost
	dev.Terminate()
	if code := dev.WaitExit(startTimeout); code != 0 {
		t.Errorf("exit code after SIGTERM %d, want 0", code)
	}
	u.release("/held")
	dev = start()
	s.awaitState(t, time.Minute, id, "completed")
	var j struct {
		Attempt int
		Result  struct {
			Responses         []json.RawMessage
			Succeeded, Failed int
		}
	}
	if err := s.read(t.Context(), "/v1/jobs/"+id, &j); err != nil {
		t.Fatal(err)
	}
	if j.Attempt != 1 || j.Result.Succeeded != quick+1 || j.Result.Failed != 0 || len(j.Result.Responses) != quick+1 {
		t.Errorf("job = %+v, want all succeeded in one attempt: a drain counts none", j)
	}
	for i := range quick {
		want := 1
		if i == 7 {
			want = 2 // its first answer was lost
		}
		if sends := len(u.received(fmt.Sprintf("/quick/%d", i))); sends != want {
			t.Errorf("request %d was sent %d times, want %d", i, sends, want)
		}
	}
	dev.Terminate()
	dev.WaitExit(startTimeout)
}

// A batch whose worker is killed in the middle goes on from what it has noted:
// nothing that may not be sent again is, and what nobody can tell about ends the
// job for a person once the rest is done.
func TestBatchOfAKilledWorker(t *testing.T) {
	t.Parallel()
	u := startUpstream(t)
	s := newSystem(t, "sqlite:ledger.db", "none", "sqlite:target.db")
	s.upstream(u)
	s.section("clients", "up")["idempotency"] = object{}
	start := func() *testkit.Process {
		t.Helper()
		p := s.start("cmd/asyncops", "dev")
		p.WaitHealthy(startTimeout, s.url+"/readyz")
		return p
	}
	dev := start()
	const quick, held, later = 8, "/held", "/later"
	var requests []object
	for i := range quick {
		requests = append(requests, object{"method": "POST", "path": fmt.Sprintf("/quick/%d", i), "body": object{"n": i}})
	}
	for _, path := range []string{held, later} {
		requests = append(requests, object{"method": "POST", "path": path, "body": object{}})
	}
	u.hold(held)
	id := s.submit(t, object{"kind": "http.batch", "timeout": "5m", "args": object{"client": "up", "max_concurrent": 1, "requests": requests}}).ID
	testkit.Eventually(t, time.Minute, 10*time.Millisecond, func() error {
		if len(u.received(held)) == 0 {
			return fmt.Errorf("%s has not been sent", held)
		}
		return nil
	})
	dev.Kill()
	u.release(held)
	dev = start()
	s.awaitState(t, 2*time.Minute, id, "unknown")
	var j struct {
		Crashes int
		Error   struct{ Code string }
		Result  struct {
			Responses []struct {
				Status int
				Error  struct{ Code string }
			}
			Succeeded, Failed int
		}
	}
	if err := s.read(t.Context(), "/v1/jobs/"+id, &j); err != nil {
		t.Fatal(err)
	}
	if j.Error.Code != "ambiguous" || j.Crashes != 1 || j.Result.Succeeded != quick+1 || j.Result.Failed != 1 || j.Result.Responses[quick].Error.Code != "ambiguous" {
		t.Errorf("job = %+v, want all but the held request answered, and that ambiguous", j)
	}
	for _, r := range requests {
		path := r["path"].(string) //nolint:forcetypeassert // as set above
		if sends := len(u.received(path)); sends != 1 {
			t.Errorf("%s was sent %d times, want once", path, sends)
		}
	}
	dev.Terminate()
	dev.WaitExit(startTimeout)
}
