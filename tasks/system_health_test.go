package tasks_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// A database and a client of one name are two targets.
func TestLookUpTarget(t *testing.T) {
	t.Parallel()
	all := configured()
	all.databases["shop"], all.clients["shop"] = registry{}, httpop.Policy{}
	all.databases["ledger"] = registry{}
	db, client := job.DatabaseTarget, job.ClientTarget
	tests := map[string][]job.Target{
		"main":            {db("main")},
		"crm":             {client("crm")},
		"shop":            {db("shop"), client("shop")},
		"database shop":   {db("shop")},
		"client shop":     {client("shop")},
		"ledger":          {{Type: job.TypeLedger, Name: "ledger"}},
		"database ledger": {db("ledger")},
		"client main":     nil,
		"queue main":      nil,
		"database ":       nil,
		"":                nil,
		" main":           nil,
	}
	for name, want := range tests {
		if got := tasks.LookUpTarget(name, all); !slices.Equal(got, want) {
			t.Errorf("LookUpTarget(%q) = %v, want %v", name, got, want)
		}
	}
	_, err := tasks.Parse("system.health", []byte(`{"targets":["shop"]}`), all)
	want := `/args/targets/0 ambiguous_target is a database and a client; write "database shop" or "client shop"`
	if invalid := new(job.InvalidError); !errors.As(err, &invalid) || len(invalid.Fields) != 1 ||
		invalid.Fields[0].Pointer+" "+invalid.Fields[0].Code+" "+invalid.Fields[0].Message != want {
		t.Errorf("Parse = %v, want %s", err, want)
	}
}
