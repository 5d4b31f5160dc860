package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
)

// doorbellList is what tests look at of the answer: "id state rings_for", then
// "kind state" of each job.
func doorbellList(t *testing.T, got answer) []string {
	t.Helper()
	var body struct {
		Items []struct {
			ID       string `json:"id"`
			State    string `json:"state"`
			RingsFor int    `json:"rings_for"`
			Jobs     []struct {
				ID    job.ID    `json:"id"`
				Kind  string    `json:"kind"`
				State job.State `json:"state"`
			} `json:"jobs"`
		} `json:"items"`
	}
	if err := json.Unmarshal([]byte(got.Body), &body); err != nil || got.Status != 200 || body.Items == nil {
		t.Fatalf("= %d %s, want a list", got.Status, got.Body)
	}
	lines := make([]string, len(body.Items))
	for i, b := range body.Items {
		words := []string{b.ID, b.State, strings.Repeat("*", b.RingsFor)}
		for _, j := range b.Jobs {
			words = append(words, j.Kind, string(j.State))
		}
		lines[i] = strings.Join(words, " ")
	}
	return lines
}

func TestDoorbellsOfAQueue(t *testing.T) {
	t.Parallel()
	f := start(t)
	elsewhere, other := stored(job.Completed), stored(job.Pending)
	elsewhere.Kind, elsewhere.Args = "db.insert_one", json.RawMessage(`{"database":"sealed","table":"users","values":{"a":1}}`)
	other.Kind = "db.query"
	first, second, third := f.add(stored(job.Pending)), f.add(elsewhere), f.add(other)
	f.outside.bells = []api.Doorbell{{ID: "b1", Active: true, Jobs: []job.ID{second, first}}, {ID: "b2", Jobs: []job.ID{third, job.NewID()}}}
	for name, tt := range map[string]struct {
		path, key, want string
	}{
		"all":                     {"", viewerKey, "b1 active ** db.insert_one completed system.noop pending; b2 pending ** db.query pending"},
		"the first":               {"?limit=1", viewerKey, "b1 active ** db.insert_one completed system.noop pending"},
		"limited to kinds":        {"", limitedKey, "b1 active ** system.noop pending; b2 pending **"},
		"limited to one database": {"", targetKey, "b1 active ** system.noop pending; b2 pending ** db.query pending"},
	} {
		if got := strings.Join(doorbellList(t, f.do(t, "GET", "/v1/queues/default/doorbells"+tt.path, "", as(tt.key))), "; "); got != tt.want {
			t.Errorf("%s = %s, want %s", name, got, tt.want)
		}
	}
	for path, want := range map[string]int{
		"default/doorbells?limit=0": 422, "default/doorbells?limit=21": 422, "default/doorbells?limit=x": 400, "default/doorbells?page=1": 400,
		"none/doorbells": 404, "critical/doorbells": 503,
	} {
		got := f.do(t, "GET", "/v1/queues/"+path, "", as(viewerKey))
		if got.problem(t); got.Status != want || want == 503 && (got.Header.Get("Retry-After") == "" || !strings.Contains(got.Body, "Redis")) {
			t.Errorf("GET /v1/queues/%s = %d %s, want %d", path, got.Status, got.Body, want)
		}
	}
	if got := f.do(t, "GET", "/v1/queues/critical/doorbells", "", as(limitedKey)); got.Status != 403 {
		t.Errorf("doorbells of a queue that the key is limited away from = %d, want 403", got.Status)
	}
	without := start(t, func(_ *api.Config, deps *api.Deps) { deps.RedisQueues = nil })
	if got := doorbellList(t, without.do(t, "GET", "/v1/queues/default/doorbells", "", as(viewerKey))); len(got) != 0 {
		t.Errorf("doorbells without Redis = %q, want none", got)
	}
}
