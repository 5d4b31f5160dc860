package app //nolint:testpackage // what it tests is nobody else's

import (
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/asyncops/asyncops/tasks"
)

// demoTargets are one SQLite file with users and accounts.
func demoTargets(t *testing.T, effects store.Effects) targets {
	t.Helper()
	target, err := store.Open(store.Config{
		Name: "demo", Driver: store.SQLite, Path: filepath.Join(t.TempDir(), "demo.db"), Effects: effects,
		Tables: map[string]store.Table{"users": {Write: true}, "accounts": {Write: true}},
		Queries: map[string]store.Query{
			"count": {SQL: "SELECT count(*) AS n FROM sqlite_schema WHERE name = $1 OR tbl_name = $1", Params: []dbop.Param{{Name: "name", Type: dbop.ParamString}}},
			"touch": {SQL: "UPDATE users SET name = ?", Params: []dbop.Param{{Name: "name", Type: dbop.ParamString}}, Write: true},
		},
	}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return targets{databases: map[string]*store.Target{"demo": target}}
}

func parsed(t *testing.T, all targets, args string) tasks.Task {
	t.Helper()
	task, err := tasks.Parse("db.transaction", json.RawMessage(args), all)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

const (
	readsOnly = `{"operations":[{"op":"select_one","table":"users"}]}`
	readWrite = `{"isolation":"serializable","operations":[{"op":"select_one","as":"user","table":"users","columns":["name"],"where":{"id":7}},` +
		`{"op":"insert_one","table":"accounts","values":{"owner":{"$ref":"user.name"},"balance":5}}]}`
)

func TestPlanOfATransaction(t *testing.T) {
	t.Parallel()
	all := demoTargets(t, store.EffectsAuto)
	got, err := all.Plan(t.Context(), parsed(t, all, readWrite))
	want := `{"database":"demo","isolation":"serializable","operations":[{"op":"select_one","as":"user","sql":"SELECT \"t\".\"name\" FROM \"users\" AS \"t\" WHERE \"t\".\"id\" = $1 LIMIT 1"},` +
		`{"op":"insert_one","sql":"INSERT INTO \"accounts\" AS \"t\" (\"owner\", \"balance\") VALUES ($1, $2)"}]}`
	if err != nil || string(got) != want {
		t.Errorf("Plan = %s, %v, want %s", got, err, want)
	}
}

func TestPlanOfAQuery(t *testing.T) {
	t.Parallel()
	all := demoTargets(t, store.EffectsAuto)
	for args, want := range map[string]string{
		`{"name":"count","params":{"name":"secret"}}`: `{"database":"demo","sql":"SELECT count(*) AS n FROM sqlite_schema WHERE name = ? OR tbl_name = ?","explain":["SCAN sqlite_schema"]}`,
		`{"name":"touch","params":{"name":"secret"}}`: `{"database":"demo","sql":"UPDATE users SET name = ?"}`,
	} {
		task, err := tasks.Parse("db.query", json.RawMessage(args), all)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := all.Plan(t.Context(), task); err != nil || string(got) != want {
			t.Errorf("Plan = %s, %v, want %s", got, err, want)
		}
	}
}

func TestDeliveryOfAQuery(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, args string
		effects    store.Effects
		want       job.Delivery
		err        error
	}{
		{"a read", `{"name":"count","params":{"name":"x"}}`, store.EffectsOff, job.ExactlyOnceEffect, nil},
		{"a write without a record", `{"name":"touch","params":{"name":"x"}}`, store.EffectsOff, job.AtLeastOnce, nil},
		{"a read while the record is missing", `{"name":"count","params":{"name":"x"}}`, store.EffectsRequired, job.ExactlyOnceEffect, nil},
		{"a write while the record is missing", `{"name":"touch","params":{"name":"x"}}`, store.EffectsRequired, "", job.ErrEffectsMissing},
		{"a write", `{"name":"touch","params":{"name":"x"}}`, store.EffectsAuto, job.ExactlyOnceEffect, nil},
	} {
		all := demoTargets(t, test.effects)
		all.databases["demo"].Health(t.Context()) // looks for the record
		task, err := tasks.Parse("db.query", json.RawMessage(test.args), all)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := all.Delivery(task); got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: Delivery = %s, %v, want %s, %v", test.name, got, err, test.want, test.err)
		}
	}
}

func TestDeliveryOfATransaction(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		effects store.Effects
		args    string
		want    job.Delivery
		err     error
	}{
		{"reads", store.EffectsOff, readsOnly, job.ExactlyOnceEffect, nil},
		{"no record", store.EffectsOff, readWrite, job.AtLeastOnce, nil},
		{"the record is missing", store.EffectsRequired, readWrite, "", job.ErrEffectsMissing},
		{"the record is missing, and not needed", store.EffectsRequired, readsOnly, job.ExactlyOnceEffect, nil},
		{"record", store.EffectsAuto, readWrite, job.ExactlyOnceEffect, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			all := demoTargets(t, test.effects)
			all.databases["demo"].Health(t.Context()) // looks for the effects table
			got, err := all.Delivery(parsed(t, all, test.args))
			if got != test.want || !errors.Is(err, test.err) {
				t.Errorf("Delivery = %s, %v, want %s, %v", got, err, test.want, test.err)
			}
		})
	}
}
