package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
)

// batchBody is the answer to a batch.
type batchBody struct {
	Accepted int `json:"accepted"`
	Rejected int `json:"rejected"`
	Items    []struct {
		ID       job.ID       `json:"id"`
		Replayed bool         `json:"replayed"`
		Error    *api.Problem `json:"error"`
	} `json:"items"`
}

const noop = `{"kind":"system.noop"}`

func TestBatch(t *testing.T) {
	t.Parallel()
	items := []struct {
		body   string
		status int // 0: accepted
		code   string
	}{
		{insert, 0, ""},
		{`{"kind":"nope"}`, 422, "unknown_kind"},
		{`{"kind":"system.noop","queue":"critical","idempotency_key":"k"}`, 0, ""},
		{`{"kind":"system.noop","nope":1}`, 400, "unknown_field"},
		{`"text"`, 400, "wrong_type"},
		{`{"kind":"system.noop","queue":"nope"}`, 422, "unknown_queue"},
		{`{"kind":"system.noop","queue":"critical","idempotency_key":"k"}`, 0, ""},
		{`{"kind":"system.noop","idempotency_key":"\u00e4"}`, 400, api.CodeIdempotencyKey},
		{`{"kind":"db.insert_one","args":{"database":"sealed","table":"users","values":{"a":1}}}`, 503, api.CodeEffectsMissing},
		{noop, 0, ""},
	}
	var texts []string
	for _, item := range items {
		texts = append(texts, item.body)
	}
	for _, form := range []struct{ name, media, body string }{
		{"array", "application/json", " [" + strings.Join(texts, " ,\n ") + " ]\n"},
		{"lines", "application/x-ndjson", strings.Join(texts, "\n\n") + "\r\n"},
		{"lines without the last end", "application/x-ndjson; charset=utf-8", strings.Join(texts, "\n")},
	} {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			f := start(t)
			got := f.do(t, "POST", "/v1/jobs/batch", form.body, as(submitterKey), "Content-Type: "+form.media)
			if got.Status != 202 {
				t.Fatalf("= %d %s, want 202", got.Status, got.Body)
			}
			body := decode[batchBody](t, got)
			// The fake does not look for keys that meet inside one batch.
			if body.Accepted != 4 || body.Rejected != 6 || len(body.Items) != len(items) {
				t.Fatalf("accepted %d, rejected %d, %d items; want 4, 6 and %d", body.Accepted, body.Rejected, len(body.Items), len(items))
			}
			for i, item := range body.Items {
				switch want := items[i]; {
				case want.status == 0 && (item.ID == "" || item.Error != nil):
					t.Errorf("item %d = %+v, want an id", i, item)
				case want.status != 0 && (item.ID != "" || item.Error == nil || item.Error.Status != want.status || item.Error.Code != want.code):
					t.Errorf("item %d = %+v, want %d %s", i, item.Error, want.status, want.code)
				}
			}
			if got := f.outside.submitted["system.noop critical"]; got != 2 {
				t.Errorf("submitted to critical = %d, want 2", got)
			}
		})
	}
}

func TestBatchReplay(t *testing.T) {
	t.Parallel()
	f := start(t)
	keyed := `{"kind":"system.noop","idempotency_key":"k"}`
	first := decode[batchBody](t, f.do(t, "POST", "/v1/jobs/batch", "["+keyed+"]", as(submitterKey)))
	again := f.do(t, "POST", "/v1/jobs/batch", `[`+keyed+`,{"kind":"system.noop","tags":["x"],"idempotency_key":"k"}]`, as(submitterKey))
	body := decode[batchBody](t, again)
	if !body.Items[0].Replayed || body.Items[0].ID != first.Items[0].ID || body.Items[1].Error.Code != api.CodeIdempotencyMismatch {
		t.Errorf("= %s, want the first job replayed and a mismatch", again.Body)
	}
	golden(t, "batch", again.Body)
}

func TestAtomicBatch(t *testing.T) {
	t.Parallel()
	f := start(t)
	bad := f.do(t, "POST", "/v1/jobs/batch?atomic=true", `[`+noop+`,{"kind":"system.noop","queue":"nope"},{"kind":"system.noop","nope":1},{"kind":"system.noop","idempotency_key":""}]`, as(submitterKey))
	if bad.Status != 422 || f.count() != 0 {
		t.Errorf("= %d with %d jobs, want 422 and none", bad.Status, f.count())
	}
	golden(t, "batch_atomic", bad.Body)
	good := f.do(t, "POST", "/v1/jobs/batch?atomic=true", `[`+noop+`,{"kind":"system.noop","idempotency_key":"k"}]`, as(submitterKey))
	if body := decode[batchBody](t, good); good.Status != 202 || body.Accepted != 2 || f.count() != 2 {
		t.Errorf("= %d %s, want 202 with 2 accepted", good.Status, good.Body)
	}
	mismatch := f.do(t, "POST", "/v1/jobs/batch?atomic=true", `[`+noop+`,{"kind":"system.noop","tags":["x"],"idempotency_key":"k"}]`, as(submitterKey))
	if p := mismatch.problem(t); mismatch.Status != 422 || p.Code != api.CodeIdempotencyMismatch || p.Errors[0].Pointer != "/1" || f.count() != 2 {
		t.Errorf("= %d %s with %d jobs, want 422 idempotency_mismatch at /1 and 2", mismatch.Status, mismatch.Body, f.count())
	}
	sealed := f.do(t, "POST", "/v1/jobs/batch?atomic=true", `[{"kind":"db.insert_one","args":{"database":"sealed","table":"users","values":{"a":1}}}]`, as(submitterKey))
	if sealed.Status != 503 || sealed.problem(t).Code != api.CodeEffectsMissing {
		t.Errorf("= %d %s, want 503 effects_missing", sealed.Status, sealed.Body)
	}
}

func TestRefusedBatches(t *testing.T) { //nolint:tparallel // the cases share a ledger
	t.Parallel()
	f := start(t, func(cfg *api.Config, _ *api.Deps) {
		cfg.BulkMaxItems, cfg.BulkBodyLimit, cfg.BodyLimit = 10, 8<<10, 1<<10
	})
	const lines = "Content-Type: application/x-ndjson"
	for _, tt := range []struct { //nolint:paralleltest // they share a ledger
		name, path, body, line string
		status                 int
		code                   string
	}{
		{"object", "", noop, "", 400, "wrong_type"},
		{"empty array", "", `[ ]`, "", 422, "invalid"},
		{"empty lines", "", "\n \n", lines, 422, "invalid"},
		{"cut", "", `[` + noop, "", 400, "not_json"},
		{"cut in an item", "", `[` + noop + `,{"kind":"sys`, "", 400, "not_json"},
		{"comma at the end", "", `[` + noop + `,]`, "", 400, "not_json"},
		{"comma at the start", "", `[,` + noop + `]`, "", 400, "not_json"},
		{"wrong bracket", "", `[` + noop + `}`, "", 400, "not_json"},
		{"trailing data", "", `[` + noop + `]]`, "", 400, "trailing_data"},
		{"byte order mark", "", "\ufeff[" + noop + "]", "", 400, "wrong_type"},
		{"11 items", "", `[` + strings.Repeat(noop+",", 10) + noop + `]`, "", 413, "too_large"},
		{"11 lines", "", strings.Repeat(noop+"\n", 11), lines, 413, "too_large"},
		{"over the limit", "", `[` + strings.Repeat(" ", 8<<10) + `]`, "", 413, "too_large"},
		{"lines over the limit", "", noop + "\n" + strings.Repeat(" ", 8<<10), lines, 413, "too_large"},
		{"text", "", noop, "Content-Type: text/plain", 415, "unsupported_media_type"},
		{"atomic misspelled", "?atomc=true", `[` + noop + `]`, "", 400, "unknown_parameter"},
		{"atomic is no flag", "?atomic=1", `[` + noop + `]`, "", 400, "malformed"},
		{"a key for all", "", `[` + noop + `]`, "Idempotency-Key: k", 400, "idempotency_key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			headers := []string{as(submitterKey)}
			if tt.line != "" {
				headers = append(headers, tt.line)
			}
			got := f.do(t, "POST", "/v1/jobs/batch"+tt.path, tt.body, headers...)
			if got.Status != tt.status || got.problem(t).Code != tt.code || f.count() != 0 {
				t.Errorf("= %d %s with %d jobs, want %d %s and none", got.Status, got.Body, f.count(), tt.status, tt.code)
			}
		})
	}
	long := `{"kind":"system.noop","tags":["` + strings.Repeat("a", 1<<10) + `"]}`
	got := decode[batchBody](t, f.do(t, "POST", "/v1/jobs/batch", `[`+long+`,`+noop+`]`, as(submitterKey)))
	if got.Accepted != 1 || got.Items[0].Error == nil || got.Items[0].Error.Status != 413 {
		t.Errorf("an item over the body limit = %+v, want 413 for it alone", got)
	}
}

// What was accepted before the ledger went away is accepted; the rest says why
// it was not.
func TestBatchWhenTheLedgerGoesAway(t *testing.T) {
	t.Parallel()
	f := start(t)
	calls := 0
	f.onAccept = func(context.Context) error {
		if calls++; calls > 1 {
			return fmt.Errorf("ledger: accept: %w", job.ErrUnavailable)
		}
		return nil
	}
	got := decode[batchBody](t, f.do(t, "POST", "/v1/jobs/batch", strings.Repeat(noop+"\n", 2500), as(submitterKey), "Content-Type: application/x-ndjson"))
	if got.Accepted != 1000 || got.Rejected != 1500 || f.count() != 1000 {
		t.Fatalf("accepted %d, rejected %d, %d jobs; want 1000, 1500, 1000", got.Accepted, got.Rejected, f.count())
	}
	if got.Items[999].ID == "" || got.Items[1000].Error.Code != api.CodeUnavailable || got.Items[2499].Error.Status != 503 {
		t.Errorf("items 999, 1000, 2499 = %+v, %+v, %+v", got.Items[999], got.Items[1000], got.Items[2499])
	}
	if got := f.outside.submitted["system.noop default"]; got != 1000 {
		t.Errorf("submitted = %d, want 1000", got)
	}
}

// Batches that are still arriving leave no room for ever more of them.
func TestManyBatchesAtOnce(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *api.Config, _ *api.Deps) { cfg.BulkBodyLimit = 1 << 10 })
	for range 8 {
		conn, err := net.Dial("tcp", f.server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := io.WriteString(conn, "POST /v1/jobs/batch HTTP/1.1\r\nHost: localhost\r\n"+as(submitterKey)+
			"\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, 10*time.Second, 10*time.Millisecond, func() error {
		got := f.do(t, "POST", "/v1/jobs/batch", "["+noop+"]", as(submitterKey))
		if got.Status != 503 || got.Header.Get("Retry-After") == "" {
			return fmt.Errorf("the ninth batch = %d %s, want 503 with Retry-After", got.Status, got.Body)
		}
		return nil
	})
	if got := f.do(t, "POST", "/v1/jobs", noop, as(submitterKey)); got.Status != 202 {
		t.Errorf("a single job meanwhile = %d, want 202", got.Status)
	}
}

// FuzzSplitArray holds the cutting of arrays against encoding/json: what is an
// array comes out whole, and what is none comes out as a refusal or with an
// element that is not JSON.
func FuzzSplitArray(f *testing.F) {
	for _, seed := range []string{`[]`, `[1]`, ` [ {"a":"]"} , "\",[" ] `, `[1,]`, `[,1]`, `[1}`, `[[1,2],{"a":[3]}]`, `[1]2`, `["\`, `{}`, ``, `[{"a":]},1]`, `[1 2]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var items [][]byte
		err := api.SplitArray(text, func(item []byte) error {
			items = append(items, bytes.Clone(item))
			return nil
		})
		var want []json.RawMessage
		isArray := json.Unmarshal(text, &want) == nil && want != nil
		if isArray && err != nil {
			t.Fatalf("SplitArray(%q) = %v, want nil", text, err)
		}
		if err != nil {
			return
		}
		valid := true
		for i, item := range items {
			valid = valid && json.Valid(item)
			if isArray && (i >= len(want) || string(item) != string(want[i])) {
				t.Fatalf("SplitArray(%q): element %d = %q", text, i, item)
			}
		}
		if isArray && len(items) != len(want) || !isArray && valid {
			t.Fatalf("SplitArray(%q) = %d elements, all valid %t; want %d, an array %t", text, len(items), valid, len(want), isArray)
		}
	})
}
