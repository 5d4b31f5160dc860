package handlers_test

import (
	"encoding/json"
	"testing"

	"github.com/asyncops/asyncops/job"
)

func TestTarget(t *testing.T) {
	t.Parallel()
	h := newHandlers(&fake{})
	for _, c := range []struct{ kind, args, want string }{
		{"db.insert_one", `{"database":"main","table":"users"}`, "database main"},
		{"db.transaction", `{"operations":[]}`, "database main"},
		{"db.insert_one", `{"database":"nope"}`, ""},
		{"db.insert_one", `{"database":`, ""},
		{"http.request", `{"client":"crm"}`, "client crm"},
		{"http.request", `{"path":"/"}`, "client crm"},
		{"http.request", `{"client":"nope"}`, ""},
		{"system.noop", `{}`, ""},
	} {
		if got := h.Target(&job.Job{Kind: c.kind, Args: json.RawMessage(c.args)}); got != c.want {
			t.Errorf("Target(%s %s) = %q, want %q", c.kind, c.args, got, c.want)
		}
	}
}
