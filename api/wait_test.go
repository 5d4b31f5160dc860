package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
)

func TestPreferWait(t *testing.T) {
	t.Parallel()
	f := start(t)
	done := make(chan answer)
	go func() {
		done <- f.do(t, "POST", "/v1/jobs", insert, as(submitterKey), "Prefer: respond-async, wait=30")
	}()
	<-f.waiting
	f.finish(f.last().ID, job.Completed, `{"id":7,"rows_affected":1}`)
	got := <-done
	if got.Status != http.StatusOK || got.Header.Get("Preference-Applied") != "wait=30" || got.Header.Get("Location") == "" {
		t.Errorf("= %d %v, want 200 with Preference-Applied: wait=30", got.Status, got.Header)
	}
	golden(t, "waited", got.Body)
}

func TestPreferWaitTimeIsUp(t *testing.T) {
	t.Parallel()
	f := start(t)
	got := f.do(t, "POST", "/v1/jobs", insert, as(submitterKey), "Prefer: wait=1")
	if got.Status != http.StatusAccepted || decode[jobBody](t, got).State != job.Pending {
		t.Errorf("= %d %s, want 202 and the pending job", got.Status, got.Body)
	}
}

func TestPreferenceIsCutAndPassedOver(t *testing.T) {
	t.Parallel()
	f := start(t)
	// A replay of a job that has ended: nobody waits for long.
	const ended = `{"kind":"system.noop","idempotency_key":"ended"}`
	f.finish(decode[jobBody](t, f.do(t, "POST", "/v1/jobs", ended, as(submitterKey))).ID, job.Completed, `{}`)
	for _, tt := range []struct{ prefer, applied string }{
		{"wait=600", "wait=60"},
		{`Wait="5"; x=y`, "wait=5"},
		{"wait=-1", ""},
		{"wait=99999999999999", ""},
		{"wait", ""},
		{"wait=0", ""},
		{"return=minimal", ""},
	} {
		got := f.do(t, "POST", "/v1/jobs", ended, as(submitterKey), "Prefer: "+tt.prefer)
		if got.Status/100 != 2 || got.Header.Get("Preference-Applied") != tt.applied {
			t.Errorf("Prefer: %s = %d, applied %q; want %q", tt.prefer, got.Status, got.Header.Get("Preference-Applied"), tt.applied)
		}
	}
}

func TestLongPoll(t *testing.T) {
	t.Parallel()
	f := start(t)
	id := f.add(job.Job{Kind: "system.noop", Queue: "default", State: job.Active, Delivery: job.AtLeastOnce, MaxAttempts: 1, CreatedAt: testNow, RunAt: testNow})
	done := make(chan answer)
	go func() { done <- f.do(t, "GET", "/v1/jobs/"+string(id)+"?wait=PT30S", "", as(adminKey)) }()
	<-f.waiting
	f.finish(id, job.Archived, "")
	if got := <-done; got.Status != 200 || decode[jobBody](t, got).State != job.Archived {
		t.Errorf("= %d %s, want 200 and the archived job", got.Status, got.Body)
	}
	for wait, want := range map[string]int{"10": 400, "x": 400, "-1s": 422, "61s": 422, "1ms": 200} {
		if got := f.do(t, "GET", "/v1/jobs/"+string(id)+"?wait="+wait, "", as(adminKey)); got.Status != want {
			t.Errorf("wait=%s = %d, want %d", wait, got.Status, want)
		}
	}
}

// A wait outlives both the time in which a request is to be read and the one
// in which it is to be answered.
func TestWaitOutlivesTimeouts(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *api.Config, _ *api.Deps) {
		cfg.ReadTimeout, cfg.RequestTimeout = 150*time.Millisecond, 100*time.Millisecond
	})
	got := f.do(t, "POST", "/v1/jobs", insert, as(submitterKey), "Prefer: wait=1")
	if got.Status != http.StatusAccepted || got.Header.Get("Preference-Applied") != "wait=1" {
		t.Errorf("= %d %s, want 202", got.Status, got.Body)
	}
	id := decode[jobBody](t, got).ID
	if got := f.do(t, "GET", "/v1/jobs/"+string(id)+"?wait=400ms", "", as(submitterKey)); got.Status != http.StatusOK {
		t.Errorf("GET with wait = %d %s, want 200", got.Status, got.Body)
	}
}

func TestStopCutsWaitsShort(t *testing.T) {
	t.Parallel()
	f := start(t)
	done := make(chan answer, 1)
	go func() { done <- f.do(t, "POST", "/v1/jobs", insert, as(submitterKey), "Prefer: wait=60") }()
	<-f.waiting
	f.stop()
	if got := <-done; got.Status != http.StatusAccepted {
		t.Errorf("= %d %s, want 202 when the server stops", got.Status, got.Body)
	}
}
