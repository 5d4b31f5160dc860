package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

var errReset = errors.New("connection reset by peer")

func TestRetries(t *testing.T) {
	t.Parallel()
	get := func(ctx context.Context, c *sdk.Client) error { _, err := c.Get(ctx, testID); return err }
	submit := func(key string) func(context.Context, *sdk.Client) error {
		return func(ctx context.Context, c *sdk.Client) error {
			_, err := c.Submit(ctx, sdk.Submission{Kind: "system.noop", IdempotencyKey: key})
			return err
		}
	}
	lines := func(keyed bool) func(context.Context, *sdk.Client) error {
		return func(ctx context.Context, c *sdk.Client) error {
			_, err := c.SubmitLines(ctx, strings.NewReader("{}\n"), sdk.BatchOptions{Keyed: keyed})
			return err
		}
	}
	batch := func(ctx context.Context, c *sdk.Client) error {
		_, err := c.SubmitBatch(ctx, func(yield func(sdk.Submission) bool) { yield(sdk.Submission{Kind: "a.b"}) }, sdk.BatchOptions{Keyed: true})
		return err
	}
	cancel := func(ctx context.Context, c *sdk.Client) error { _, err := c.Cancel(ctx, testID); return err }
	pause := func(ctx context.Context, c *sdk.Client) error { _, err := c.Pause(ctx, "low"); return err }
	busy := func(status int) func() (*http.Response, error) {
		return func() (*http.Response, error) { return response(status, `{"code":"busy"}`), nil }
	}
	inProgress := func() (*http.Response, error) { return response(409, `{"code":"idempotency_in_progress"}`), nil }
	lost := func() (*http.Response, error) { return nil, errReset }
	tests := []struct {
		name  string
		call  func(context.Context, *sdk.Client) error
		first func() (*http.Response, error)
		again bool
	}{
		{"get after 503", get, busy(503), true},
		{"get after 429", get, busy(429), true},
		{"get after 502", get, busy(502), true},
		{"get after a lost answer", get, lost, true},
		{"get after 404", get, busy(404), false},
		{"get after 500", get, busy(500), false},
		{"submit with a key after 503", submit("k"), busy(503), true},
		{"submit with a key after a lost answer", submit("k"), lost, true},
		{"submit with a key that is in progress", submit("k"), inProgress, true},
		{"submit with a key after 422", submit("k"), busy(422), false},
		{"submit without a key after 503", submit(""), busy(503), false},
		{"submit without a key after a lost answer", submit(""), lost, false},
		{"submit without a key after 429", submit(""), busy(429), true},
		{"batch with keys after a lost answer", batch, lost, true},
		{"lines with keys after 503", lines(true), busy(503), true},
		{"lines without keys after 503", lines(false), busy(503), false},
		{"cancel after a lost answer", cancel, lost, false},
		{"cancel after 429", cancel, busy(429), true},
		{"pause after a lost answer", pause, lost, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var bodies []string
				c := offline(t, func(r *http.Request) (*http.Response, error) {
					body := ""
					if r.Body != nil {
						text, err := io.ReadAll(r.Body)
						if err != nil {
							t.Errorf("read the body: %v", err)
						}
						_ = r.Body.Close()
						body = string(text)
					}
					bodies = append(bodies, body)
					if len(bodies) == 1 {
						return tt.first()
					}
					return response(200, pendingJob), nil
				}, sdk.Options{})
				err := tt.call(t.Context(), c)
				if again := len(bodies) == 2; again != tt.again || (err == nil) != tt.again {
					t.Fatalf("sent %d times, error %v; want a second send: %t", len(bodies), err, tt.again)
				}
				if tt.again && bodies[0] != bodies[1] {
					t.Errorf("the second body is %q, want %q again", bodies[1], bodies[0])
				}
			})
		})
	}
}

func TestRetriesEnd(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		maxRetries int
		retryAfter string
		timeout    time.Duration
		sends      int
		least      time.Duration // that the call takes
	}{
		{"by default after four", 0, "", time.Hour, 5, 750 * time.Millisecond},
		{"never", -1, "", time.Hour, 1, 0},
		{"after two, waiting as asked", 2, "30", time.Hour, 3, time.Minute},
		{"at once when asked to wait too long", 0, "3600", 2 * time.Hour, 1, 0},
		{"at once when the caller's time would run out", 0, "30", 20 * time.Second, 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
				defer cancel()
				sends, started := 0, time.Now()
				c := offline(t, func(*http.Request) (*http.Response, error) {
					sends++
					return response(503, `{"code":"saturated"}`, "Retry-After", tt.retryAfter), nil
				}, sdk.Options{MaxRetries: tt.maxRetries})
				_, err := c.Get(ctx, testID)
				if !errors.Is(err, job.ErrSaturated) {
					t.Errorf("Get = %v, want what the server said last", err)
				}
				if took := time.Since(started); sends != tt.sends || took < tt.least || (tt.least == 0 && took > 0) {
					t.Errorf("sent %d times in %s, want %d in at least %s", sends, took, tt.sends, tt.least)
				}
			})
		})
	}
}

func TestCanceledWhileWaitingToRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		sends := 0
		c := offline(t, func(*http.Request) (*http.Response, error) {
			sends++
			return response(503, `{"code":"saturated"}`, "Retry-After", "30"), nil
		}, sdk.Options{})
		time.AfterFunc(time.Second, func() { cancel(errReset) })
		_, err := c.Get(ctx, testID)
		if !errors.Is(err, errReset) || sends != 1 {
			t.Errorf("Get = %v after %d sends, want the cause after 1", err, sends)
		}
	})
}

func TestSendThatIsNotAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := offline(t, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		}, sdk.Options{Timeout: 5 * time.Second, MaxRetries: -1})
		started := time.Now()
		_, err := c.Get(t.Context(), testID)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer within 5s") {
			t.Errorf("Get = %v, want no answer within 5s", err)
		}
		if took := time.Since(started); took != 5*time.Second {
			t.Errorf("Get took %s, want 5s", took)
		}
	})
}

func TestWait(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		atMost time.Duration
		holds  bool          // the server holds its answer as asked
		ends   time.Duration // when the job ends
		took   time.Duration
		state  job.State
		first  string // what was asked for first
	}{
		{"ends in time", 10 * time.Second, true, 3 * time.Second, 3 * time.Second, job.Completed, "10s"},
		{"does not end in time", 10 * time.Second, true, time.Hour, 10 * time.Second, job.Pending, "10s"},
		{"longer than one answer is held", 3 * time.Minute, true, 130 * time.Second, 130 * time.Second, job.Completed, "1m0s"},
		{"without a bound", 0, true, 5 * time.Minute, 5 * time.Minute, job.Completed, "1m0s"},
		{"a server that does not hold", 10 * time.Second, false, 2500 * time.Millisecond, 3 * time.Second, job.Completed, "10s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				started := time.Now()
				var asked []string
				c := offline(t, func(r *http.Request) (*http.Response, error) {
					wait := r.URL.Query().Get("wait")
					asked = append(asked, wait)
					d, err := time.ParseDuration(wait)
					if err != nil || d > time.Minute {
						return nil, fmt.Errorf("wait=%s", wait)
					}
					if tt.holds {
						<-time.After(min(d, tt.ends-time.Since(started)))
					}
					if time.Since(started) >= tt.ends {
						return response(200, completedJob), nil
					}
					return response(200, pendingJob), nil
				}, sdk.Options{})
				j, err := c.Wait(t.Context(), testID, tt.atMost)
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(started); j.State != tt.state || took.Round(10*time.Millisecond) != tt.took || asked[0] != tt.first {
					t.Errorf("Wait = %s after %s, first asking for %s; want %s after %s, %s", j.State, took, asked[0], tt.state, tt.took, tt.first)
				}
			})
		})
	}
}

func TestSubmitWaitGoesOnWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		c := offline(t, func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost {
				if got := r.Header.Get("Prefer"); got != "wait=60" {
					t.Errorf("Prefer = %q, want wait=60", got)
				}
				<-time.After(time.Minute)
				return response(202, pendingJob), nil
			}
			<-time.After(10 * time.Second)
			return response(200, completedJob), nil
		}, sdk.Options{})
		receipt, err := c.SubmitWait(t.Context(), sdk.Submission{Kind: "system.noop"}, 2*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); receipt.Job.State != job.Completed || took != 70*time.Second {
			t.Errorf("SubmitWait = %s after %s, want completed after 1m10s", receipt.Job.State, took)
		}
	})
}
