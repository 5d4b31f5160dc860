package sdk_test

import (
	"errors"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

func page(next string, ids ...string) answer {
	items := make([]string, len(ids))
	for i, id := range ids {
		items[i] = `{"id":"` + id + `"}`
	}
	return answer{status: 200, body: `{"items":[` + strings.Join(items, ",") + `],"next_cursor":"` + next + `"}`}
}

func TestListFollowsPages(t *testing.T) {
	t.Parallel()
	c, f := newClient(t, page("c1", "a", "b"), page("c2"), page("", "c"))
	var ids []string
	for j, err := range c.List(t.Context(), sdk.Filter{Tag: "x"}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, string(j.ID))
	}
	if want := []string{"a", "b", "c"}; !slices.Equal(ids, want) {
		t.Errorf("List = %v, want %v", ids, want)
	}
	var lines []string
	for _, r := range f.requests() {
		lines = append(lines, r.Line)
	}
	want := []string{"GET /v1/jobs?tag=x", "GET /v1/jobs?cursor=c1&tag=x", "GET /v1/jobs?cursor=c2&tag=x"}
	if !slices.Equal(lines, want) {
		t.Errorf("sent %v, want %v", lines, want)
	}
}

func TestAuditLogFollowsPages(t *testing.T) {
	t.Parallel()
	c, f := newClient(t, page("c1", "a", "b"), page("", "c"))
	var ids []string
	for e, err := range c.AuditLog(t.Context(), sdk.AuditFilter{Target: "low"}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, string(e.ID))
	}
	requests := f.requests()
	if !slices.Equal(ids, []string{"a", "b", "c"}) || len(requests) != 2 || requests[1].Line != "GET /v1/audit?cursor=c1&target=low" {
		t.Errorf("AuditLog = %v with %+v, want a, b, c with two requests", ids, requests)
	}
}

func TestListStopsWithItsReader(t *testing.T) {
	t.Parallel()
	c, f := newClient(t, page("c1", "a", "b"))
	for range c.List(t.Context(), sdk.Filter{}) {
		break
	}
	if got := len(f.requests()); got != 1 {
		t.Errorf("asked for %d pages, want 1", got)
	}
}

func TestListEndsWithAnError(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t, page("c1", "a"), answer{status: 400, body: `{"code":"malformed_cursor"}`})
	seen, last := 0, error(nil)
	for _, err := range c.List(t.Context(), sdk.Filter{}) {
		seen++
		last = err
	}
	if seen != 2 || !errors.Is(last, job.ErrMalformedCursor) {
		t.Errorf("List yielded %d times, at last %v; want 2, malformed cursor", seen, last)
	}
}

func TestBatchResult(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t, answer{status: 202, body: `{"accepted":2,"rejected":1,"items":[{"id":"a"},{"error":{"status":422,"code":"unknown_kind","detail":"no"}},{"id":"b","replayed":true}]}`})
	result, err := c.SubmitLines(t.Context(), strings.NewReader("{}\n{}\n{}\n"), sdk.BatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if result.Accepted != 2 || result.Rejected != 1 || result.Items[0].ID != "a" || !result.Items[2].Replayed {
		t.Errorf("SubmitLines = %+v", result)
	}
	if err := result.Items[1].Error; !errors.Is(err, job.ErrInvalid) {
		t.Errorf("second item = %v, want ErrInvalid", err)
	}
}

// A server that answers before it has read the batch must leave nothing of it
// running: goleak looks at the end.
func TestBatchThatIsAnsweredEarly(t *testing.T) {
	t.Parallel()
	f := &earlyServer{}
	c := f.client(t)
	ended := false
	endless := iter.Seq[sdk.Submission](func(yield func(sdk.Submission) bool) {
		defer func() { ended = true }()
		for yield(sdk.Submission{Kind: "system.noop", Args: map[string]string{"pad": strings.Repeat("x", 1000)}}) {
		}
	})
	_, err := c.SubmitBatch(t.Context(), endless, sdk.BatchOptions{})
	if err == nil {
		t.Error("SubmitBatch of an endless sequence succeeded")
	}
	if !ended {
		t.Error("the sequence was left suspended")
	}
}

func TestBatchOfWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t, answer{status: 202, body: `{}`})
	_, err := c.SubmitBatch(t.Context(), func(yield func(sdk.Submission) bool) {
		yield(sdk.Submission{Kind: "a.b", Args: func() {}})
	}, sdk.BatchOptions{})
	if err == nil || !strings.Contains(err.Error(), "unsupported type") {
		t.Errorf("SubmitBatch = %v, want an error about the type", err)
	}
}

// earlyServer answers 413 without reading.
type earlyServer struct{}

func (*earlyServer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusRequestEntityTooLarge)
	_, _ = io.WriteString(w, `{"code":"too_large"}`)
}

func (s *earlyServer) client(t *testing.T) *sdk.Client {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c, err := sdk.New(server.URL, "", sdk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
