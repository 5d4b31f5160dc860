package handlers_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/clients/clientstest"
	"github.com/asyncops/asyncops/job"
)

// notebook is a job's in memory.
type notebook struct {
	mu    sync.Mutex
	notes job.Notes // guarded by mu
	err   error     // of Note
	began time.Time // the ledger's clock
}

func (n *notebook) Note(_ context.Context, sends []job.Send) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err != nil {
		return n.err
	}
	if n.notes.Sends == nil {
		n.notes.Sends = map[int]job.Noted{}
	}
	for _, s := range sends {
		n.notes.Sends[s.Index] = job.Noted{Answer: s.Answer, At: n.began.Add(-s.Ago)}
	}
	return nil
}

func (n *notebook) Notes(context.Context) (job.Notes, error) { return n.copied(), nil }

func (n *notebook) copied() job.Notes {
	n.mu.Lock()
	defer n.mu.Unlock()
	return job.Notes{Sends: maps.Clone(n.notes.Sends), LostAt: n.notes.LostAt}
}

func unkeyed(c *clients.Config) { c.Idempotency.Header = "" }

// again is the next run of a job whose last was lost.
func again(j *job.Job) *job.Job {
	next := *j
	next.Epoch += 2
	return &next
}

// When a worker dies in the middle of a batch, the next run knows what was
// decided, and what may have been sent that must not be sent again.
func TestBatchOfALostRun(t *testing.T) {
	t.Parallel()
	b := newBatcher(t, unkeyed)
	book := &notebook{began: time.Now()}
	var atDeath job.Notes
	b.upstream.On("/b", func(x *clientstest.Exchange) {
		atDeath = book.copied()
		clientstest.Answer(http.StatusOK, "{}")(x)
	})
	j := batchOf(`,"max_concurrent":1`, "/a", "/b", "/c")
	j.Epoch = 1
	if _, err := b.run(job.WithNotebook(t.Context(), book), j); err != nil {
		t.Fatal(err)
	}
	if got := book.copied().Sends; len(got) != 3 || got[2].Answer == nil {
		t.Errorf("after the run %d requests are noted, want all of them answered", len(got))
	}
	_, err := b.run(job.WithNotebook(t.Context(), &notebook{notes: atDeath}), again(j))
	var f *job.Failure
	if !errors.As(err, &f) || f.Class != job.ClassAmbiguous {
		t.Fatalf("Run = %v, want an ambiguous failure", err)
	}
	if got, want := outcomes(t, f.Result), "200 ambiguous 200"; got != want {
		t.Errorf("responses = %s, want %s", got, want)
	}
	if got, want := strings.Join(b.paths(), " "), "/a /b /c /c"; got != want {
		t.Errorf("sent %s, want %s: only what was not begun is sent by the second run", got, want)
	}
	// That run dies before its outcome is written, and a third comes.
	third := &notebook{notes: atDeath}
	third.notes.Sends[2] = job.Noted{Answer: []byte(`{"status":200,"headers":{},"text":"","duration_ms":1,"cached":false,"sends":1}`)}
	if _, err := b.run(job.WithNotebook(t.Context(), third), again(again(j))); !errors.As(err, &f) || outcomes(t, f.Result) != "200 ambiguous 200" {
		t.Errorf("Run = %v, want the same", err)
	}
	if got := len(b.paths()); got != 4 {
		t.Errorf("the third run has sent %d requests, want none", got-4)
	}
}

// What cannot be noted, or is not this run's to send any more, is not sent.
func TestBatchThatCannotNote(t *testing.T) {
	t.Parallel()
	for _, refused := range []error{job.ErrLeaseLost, job.ErrUnavailable} {
		b := newBatcher(t, unkeyed)
		_, err := b.run(job.WithNotebook(t.Context(), &notebook{err: refused}), batchOf("", "/a", "/b"))
		var f *job.Failure
		if !errors.As(err, &f) || f.Class != job.ClassRetryable || len(b.paths()) != 0 {
			t.Errorf("%v: Run = %v after requests to %v, want a retryable failure and none", refused, err, b.paths())
		}
	}
}

// A batch that was to end at its first failure ends, whoever has noted that.
func TestBatchAbortsAfterALostRun(t *testing.T) {
	t.Parallel()
	b := newBatcher(t)
	j := batchOf(`,"on_error":"abort"`, "/a", "/b")
	j.Epoch = 3
	refused := job.Noted{Answer: []byte(`{"error":{"code":"upstream_status","message":"it answered 400"}}`)}
	_, err := b.run(job.WithNotebook(t.Context(), &notebook{notes: job.Notes{Sends: map[int]job.Noted{0: refused}}}), j)
	var f *job.Failure
	if !errors.As(err, &f) || f.Class != job.ClassPermanent || f.Code != job.CodeUpstreamStatus || outcomes(t, f.Result) != "upstream_status null" || len(b.paths()) != 0 {
		t.Errorf("Run = %v after requests to %v, want the failure that was noted and none", err, b.paths())
	}
}

// A request that only its key makes safe to repeat is not repeated once the
// upstream may have forgotten the key.
func TestForgottenKey(t *testing.T) {
	t.Parallel()
	const ttl = 24 * time.Hour
	now := time.Now()
	at := func(ago time.Duration) job.Notes {
		return job.Notes{Sends: map[int]job.Noted{0: {At: now.Add(-ago)}}}
	}
	for _, tt := range []struct {
		name   string
		method string
		notes  job.Notes
		edit   func(*clients.Config)
		sent   bool
	}{
		{"nothing noted", "POST", job.Notes{}, nil, true},
		{"in doubt for an hour", "POST", at(time.Hour), nil, true},
		{"in doubt for too long", "POST", at(ttl + time.Hour), nil, false},
		{"a patch", "PATCH", at(ttl + time.Hour), nil, false},
		{"of a run that was lost", "POST", job.Notes{LostAt: now.Add(-ttl - time.Hour)}, nil, false},
		{"of a run that was lost lately", "POST", job.Notes{LostAt: now.Add(-time.Hour)}, nil, true},
		{"safe by its method", "PUT", at(ttl + time.Hour), nil, true},
		{"to be retried whatever", "POST", at(ttl + time.Hour), func(c *clients.Config) { c.Idempotency.OnAmbiguous = clients.OnAmbiguousRetry }, true},
		{"an upstream that never forgets", "POST", at(ttl + time.Hour), func(c *clients.Config) { c.Idempotency.TTL = 0 }, true},
	} {
		for kind, args := range map[string]string{
			"http.request": `{"method":"` + tt.method + `","path":"/x","body":1}`,
			"http.batch":   `{"requests":[{"method":"` + tt.method + `","path":"/x","body":1}]}`,
		} {
			t.Run(tt.name+" "+kind, func(t *testing.T) {
				t.Parallel()
				edits := []func(*clients.Config){func(c *clients.Config) { c.Idempotency.TTL = ttl }}
				if tt.edit != nil {
					edits = append(edits, tt.edit)
				}
				b := newBatcher(t, edits...)
				j := &job.Job{ID: id, Kind: kind, Args: []byte(args), Attempt: 2, MaxAttempts: 3, Epoch: 2, StartedAt: now}
				_, err := b.run(job.WithNotebook(t.Context(), &notebook{notes: tt.notes}), j)
				var f *job.Failure
				if tt.sent != (err == nil) || tt.sent != (len(b.paths()) == 1) || !tt.sent && (!errors.As(err, &f) || f.Class != job.ClassAmbiguous) {
					t.Errorf("Run = %v after %d requests, want it sent: %t", err, len(b.paths()), tt.sent)
				}
			})
		}
	}
}

// A run whose request may have been carried out says so for the next.
func TestDoubtIsNoted(t *testing.T) {
	t.Parallel()
	cut := func(c *clients.Config) { c.Idempotency.TTL = time.Hour }
	for _, tt := range []struct {
		name, method string
		step         clientstest.Step
		noted        bool
	}{
		{"cut", "POST", clientstest.Cut(), true},
		{"500", "POST", clientstest.Answer(http.StatusInternalServerError, ""), true},
		{"503", "POST", clientstest.Answer(http.StatusServiceUnavailable, ""), false},
		{"429", "POST", clientstest.Answer(http.StatusTooManyRequests, ""), false},
		{"a put", "PUT", clientstest.Cut(), false},
	} {
		b := newBatcher(t, cut)
		b.upstream.On("/x", tt.step)
		book := &notebook{began: time.Now()}
		j := &job.Job{ID: id, Kind: "http.request", Args: []byte(`{"method":"` + tt.method + `","path":"/x","body":1}`), Attempt: 1, MaxAttempts: 3, Epoch: 1}
		_, err := b.run(job.WithNotebook(t.Context(), book), j)
		var f *job.Failure
		if !errors.As(err, &f) || f.Class == job.ClassAmbiguous || f.Class == job.ClassPermanent {
			t.Errorf("%s: Run = %v, want a failure that another try may mend", tt.name, err)
		}
		if _, noted := book.copied().Sends[0]; noted != tt.noted {
			t.Errorf("%s: noted %t, want %t", tt.name, noted, tt.noted)
		}
		book.err = job.ErrUnavailable
		if _, err = b.run(job.WithNotebook(t.Context(), book), j); tt.noted && (!errors.As(err, &f) || f.Class != job.ClassAmbiguous) {
			t.Errorf("%s, and it cannot be noted: Run = %v, want an ambiguous failure", tt.name, err)
		}
	}
}
