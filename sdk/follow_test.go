package sdk_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

func streamOf(events ...string) answer {
	return answer{200, map[string]string{"Content-Type": "text/event-stream"}, "retry: 2000\n\n:\n\n" + strings.Join(events, "")}
}

func sse(name, id, data string) string {
	return "id: " + id + "\nevent: " + name + "\ndata: " + data + "\n\n"
}

// inTurn gives the answers in their order; the last one stands.
func inTurn(sends *int, answers ...answer) roundTripper {
	return func(*http.Request) (*http.Response, error) {
		a := answers[min(*sends, len(answers)-1)]
		*sends++
		var header []string
		for name, value := range a.header {
			header = append(header, name, value)
		}
		return response(a.status, a.body, header...), nil
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		active, sends := strings.Replace(pendingJob, `"state":"pending"`, `"state":"active"`, 1), 0
		c := offline(t, inTurn(&sends,
			streamOf(sse("state", "a", pendingJob), sse("state", "b", active)), // and breaks off
			answer{503, nil, `{"status":503,"code":"unavailable"}`},
			streamOf(sse("progress", "c", `{"done":3,"total":null,"message":"x"}`), sse("news", "d", "{}"), sse("state", "e", completedJob)),
		), sdk.Options{})
		var seen []string
		for j, err := range c.Follow(t.Context(), testID) {
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, fmt.Sprint(j.State, " ", j.Progress != nil))
		}
		if got := fmt.Sprint(seen); got != "[pending false active false active true completed false]" || sends != 3 {
			t.Errorf("followed %s in %d requests, want pending, active, its progress, completed in 3", got, sends)
		}
	})
}

func TestFollowEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, tt := range map[string]struct {
			answers []answer
			want    string // in the last error; "" for none
		}{
			"unknown":         {[]answer{{404, nil, `{"status":404,"code":"not_found"}`}}, "404 not_found"},
			"deleted":         {[]answer{streamOf(sse("state", "a", pendingJob), "event: gone\ndata: {}\n\n")}, "the job was deleted"},
			"broken":          {[]answer{streamOf("event: state\ndata: {\n\n")}, "unexpected end of JSON"},
			"always cut off":  {[]answer{streamOf()}, "unexpected EOF"},
			"ended meanwhile": {[]answer{streamOf(sse("state", "a", pendingJob)), {204, nil, ""}}, ""},
		} {
			sends, last := 0, ""
			for _, err := range offline(t, inTurn(&sends, tt.answers...), sdk.Options{}).Follow(t.Context(), testID) {
				if err != nil {
					last = err.Error()
				}
			}
			if (last == "") != (tt.want == "") || !strings.Contains(last, tt.want) {
				t.Errorf("%s: Follow() ended with %q after %d requests, want %q", name, last, sends, tt.want)
			}
		}
		sends := 0
		for range offline(t, inTurn(&sends, streamOf(sse("state", "a", pendingJob))), sdk.Options{}).Follow(t.Context(), testID) {
			break // whoever has seen enough leaves
		}
		if sends != 1 {
			t.Errorf("%d requests for one who left, want 1", sends)
		}
	})
}

func TestFollowWithoutAStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sends := 0
		c := offline(t, inTurn(&sends, answer{429, nil, `{"status":429,"code":"too_many_streams"}`}, answer{200, nil, pendingJob},
			answer{200, nil, pendingJob}, answer{200, nil, completedJob}), sdk.Options{})
		var seen []job.State
		for j, err := range c.Follow(t.Context(), testID) {
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, j.State)
		}
		if got := fmt.Sprint(seen); got != "[pending completed]" {
			t.Errorf("followed %s, want each change once", got)
		}
	})
}

func TestOperate(t *testing.T) {
	t.Parallel()
	c, f := newClient(t,
		answer{202, nil, pendingJob}, answer{200, nil, `{"purged":10000,"more":true}`}, answer{200, nil, `{"purged":5,"more":false}`}, answer{202, nil, `{}`},
	)
	if j, err := c.Reschedule(t.Context(), testID, time.Date(2026, 11, 24, 11, 0, 0, 0, time.FixedZone("", 3600))); err != nil || j.ID != testID {
		t.Errorf("Reschedule() = %v, %v", j, err)
	}
	if n, err := c.Purge(t.Context(), "default"); err != nil || n != 10005 {
		t.Errorf("Purge() = %d, %v; want 10005", n, err)
	}
	if err := c.Drain(t.Context(), "host-1/x"); err != nil {
		t.Errorf("Drain() = %v", err)
	}
	var lines []string
	for _, r := range f.requests() {
		lines = append(lines, r.Line+" "+r.Body)
	}
	want := "POST /v1/jobs/" + testID + `/reschedule {"run_at":"2026-11-24T10:00:00Z"}` + "\n" + `POST /v1/queues/default/purge {"confirm":"default"}` + "\n" +
		`POST /v1/queues/default/purge {"confirm":"default"}` + "\nPOST /v1/workers/host-1%2Fx/drain "
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("requests:\n%s\nwant\n%s", got, want)
	}
	for code, want := range map[string]error{"started": job.ErrStarted, "terminal": job.ErrTerminal} {
		c, _ := newClient(t, answer{http.StatusConflict, nil, `{"status":409,"code":"` + code + `"}`})
		if _, err := c.Reschedule(t.Context(), testID, time.Now()); !errors.Is(err, want) {
			t.Errorf("Reschedule() refused as %s = %v, want %v", code, err, want)
		}
	}
}
