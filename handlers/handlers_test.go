package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/handlers"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/asyncops/asyncops/tasks"
)

// fake is a database, an upstream and the targets that know them as "main" and
// "crm". It remembers what it was asked.
type fake struct {
	operation   dbop.Operation
	transaction dbop.Transaction
	replayed    bool
	effect      *store.Effect
	cached      store.Cached
	sealed      *store.Effect
	changed     []string
	request     httpop.Request
	exchange    httpop.Exchange
	err         error
}

func (f *fake) Run(_ context.Context, op dbop.Operation, effect *store.Effect) (*store.Result, error) {
	f.operation, f.effect = op, effect
	return &store.Result{JSON: json.RawMessage(`{"rows_affected":1}`), Rows: 1}, f.err
}

func (f *fake) RunTransaction(_ context.Context, txn dbop.Transaction, effect *store.Effect) (*store.Result, error) {
	f.transaction, f.effect = txn, effect
	if f.replayed {
		return &store.Result{JSON: json.RawMessage(`{"results":[{},{}]}`), Replayed: true}, f.err
	}
	return &store.Result{JSON: json.RawMessage(`{"results":[{},{}]}`), Rows: 3, Steps: []int64{1, 2}}, f.err
}

func (f *fake) RunCached(_ context.Context, op dbop.Operation, c store.Cached) (*store.Result, error) {
	f.operation, f.cached = op, c
	return &store.Result{JSON: json.RawMessage(`{"row":null,"cached":true}`), Cached: true}, f.err
}

func (f *fake) Warm(_ context.Context, op dbop.Operation, c store.Cached) (bool, error) {
	if op.Table == "gone" {
		return false, job.Permanent(job.CodeUnknownTable, "it is gone")
	}
	return c.Key == "held", f.err
}

func (f *fake) Seal(_ context.Context, e store.Effect, ops ...dbop.Operation) (json.RawMessage, bool, error) {
	f.sealed = &e
	for _, op := range ops {
		f.changed = append(f.changed, op.Table)
	}
	return json.RawMessage(`{"rows_affected":2}`), true, f.err
}

func (f *fake) Do(_ context.Context, r httpop.Request) (*httpop.Response, error) {
	f.request = r
	return &httpop.Response{Status: 201, Headers: map[string]string{"content-type": "application/json"}, Body: []byte(`{"id":7}`), Sends: 2}, f.err
}

func (*fake) Repeatable(method string, keyed bool) bool { return keyed || method == http.MethodGet }

func (*fake) NeedsKey(string) bool { return false }

func (f *fake) Exchange(_ context.Context, e httpop.Exchange) (*httpop.Transcript, error) {
	f.exchange = e
	return &httpop.Transcript{
		Received: []httpop.Message{{Data: []byte(`{"ok":true}`)}, {Data: []byte("7")}, {Binary: true, Data: []byte{0}}}, CloseCode: 1000, Summary: []byte("{}"),
	}, f.err
}

func (f *fake) Database(name string) (tasks.Database, bool) {
	return tasks.Database{Name: "main", Registry: anything{}}, name == "" || name == "main"
}

func (f *fake) Client(name string) (tasks.Client, bool) {
	return tasks.Client{Name: "crm"}, name == "" || name == "crm"
}

// anything allows everything.
type anything struct{}

func (anything) Check(dbop.Operation) []job.FieldError { return nil }

func (anything) Query(name string) (dbop.NamedQuery, bool) {
	return dbop.NamedQuery{Name: name, Params: []dbop.Param{{Name: "id", Type: dbop.ParamInteger}}, Write: name == "touch"}, true
}

func newHandlers(f *fake) *handlers.Handlers {
	return handlers.New(f, map[string]handlers.Database{"main": f}, map[string]handlers.Upstream{"crm": f})
}

const id = job.ID("0192f0c1-2345-7abc-8def-0123456789ab")

func TestDatabase(t *testing.T) {
	t.Parallel()
	f := &fake{}
	result, err := newHandlers(f).Run(t.Context(), &job.Job{
		ID: id, Kind: "db.insert_one", Generation: 3, Delivery: job.ExactlyOnceEffect,
		Args: json.RawMessage(`{"table":"users","values":{"name":"Ada"}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := (store.Effect{Job: id, Generation: 3, Required: true}); f.effect == nil || *f.effect != want {
		t.Errorf("effect = %+v, want %+v", f.effect, want)
	}
	if f.operation.Op != dbop.InsertOne || f.operation.Table != "users" {
		t.Errorf("operation = %+v, want an insert into users", f.operation)
	}
	if string(result.Value) != `{"rows_affected":1}` {
		t.Errorf("result = %s, want the store's", result.Value)
	}
	if want := `{"database":"main","operation":"insert_one","table":"users","rows":1}`; string(result.Summary) != want {
		t.Errorf("summary = %s, want %s", result.Summary, want)
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		query  string
		writes bool
	}{{"touch", true}, {"found", false}} {
		f := &fake{}
		h := newHandlers(f)
		j := &job.Job{ID: id, Kind: "db.query", Generation: 3, Delivery: job.ExactlyOnceEffect, Args: json.RawMessage(`{"name":"` + test.query + `","params":{"id":7}}`)}
		result, err := h.Run(t.Context(), j)
		if err != nil {
			t.Fatal(err)
		}
		if f.operation.Op != dbop.Query || f.operation.Query != test.query || f.operation.Args[0].Value.Text != "7" {
			t.Errorf("operation = %+v, want the query with its value", f.operation)
		}
		if got := f.effect != nil; got != test.writes {
			t.Errorf("%s has an effect: %t, want %t", test.query, got, test.writes)
		}
		if want := `{"database":"main","operation":"query","query":"` + test.query + `","rows":1}`; string(result.Summary) != want {
			t.Errorf("summary = %s, want %s", result.Summary, want)
		}
		if _, applied, err := h.Seal(t.Context(), j); applied != test.writes || err != nil {
			t.Errorf("Seal of %s = %t, %v, want %t", test.query, applied, err, test.writes)
		}
		if got := h.Target(j); got != "database main" {
			t.Errorf("Target = %q, want that of the database", got)
		}
	}
}

const (
	transfer = `{"isolation":"serializable","operations":[{"op":"update_one","as":"from","table":"accounts","where":{"id":1},"values":{"balance":{"$inc":-1}}},` +
		`{"op":"select_many","table":"accounts"}]}`
	reads = `{"operations":[{"op":"select_many","table":"accounts"},{"op":"select_one","table":"accounts"}]}`
)

func TestTransaction(t *testing.T) {
	t.Parallel()
	j := &job.Job{ID: id, Kind: "db.transaction", Generation: 2, Delivery: job.ExactlyOnceEffect, Args: json.RawMessage(transfer)}
	for _, test := range []struct {
		name     string
		replayed bool
		summary  string
	}{
		{"first", false, `{"database":"main","operation":"transaction","isolation":"serializable","steps":[{"operation":"update_one","table":"accounts","as":"from","rows":1},` +
			`{"operation":"select_many","table":"accounts","rows":2}],"rows":3}`},
		{"replayed", true, `{"database":"main","operation":"transaction","isolation":"serializable","steps":[{"operation":"update_one","table":"accounts","as":"from"},` +
			`{"operation":"select_many","table":"accounts"}],"rows":0,"replayed":true}`},
	} {
		f := &fake{replayed: test.replayed}
		result, err := newHandlers(f).Run(t.Context(), j)
		if err != nil {
			t.Fatal(err)
		}
		if want := (store.Effect{Job: id, Generation: 2, Required: true}); f.effect == nil || *f.effect != want {
			t.Errorf("%s: effect = %+v, want %+v", test.name, f.effect, want)
		}
		if len(f.transaction.Steps) != 2 || f.transaction.Isolation != dbop.Serializable {
			t.Errorf("%s: transaction = %+v, want that of the args", test.name, f.transaction)
		}
		if string(result.Value) != `{"results":[{},{}]}` || string(result.Summary) != test.summary {
			t.Errorf("%s: result = %s, summary = %s, want the store's and %s", test.name, result.Value, result.Summary, test.summary)
		}
	}
	f := &fake{}
	if _, applied, err := newHandlers(f).Seal(t.Context(), j); !applied || err != nil || f.sealed == nil {
		t.Errorf("Seal = %v, %v, want what the store says", applied, err)
	}
	if want := []string{"accounts"}; !slices.Equal(f.changed, want) {
		t.Errorf("sealed a write to %v, want %v", f.changed, want)
	}
}

func TestReadingTransactionHasNoEffect(t *testing.T) {
	t.Parallel()
	f := &fake{}
	j := &job.Job{ID: id, Kind: "db.transaction", Args: json.RawMessage(reads)}
	if _, err := newHandlers(f).Run(t.Context(), j); err != nil || f.effect != nil {
		t.Errorf("Run = %v, effect = %+v, want none", err, f.effect)
	}
	if _, applied, err := newHandlers(f).Seal(t.Context(), j); applied || err != nil || f.sealed != nil {
		t.Errorf("Seal = %v, %v, store asked: %v; want nothing to seal", applied, err, f.sealed != nil)
	}
}

func TestCachedSelect(t *testing.T) {
	t.Parallel()
	f := &fake{}
	result, err := newHandlers(f).Run(t.Context(), &job.Job{
		ID: id, Kind: "db.select_one", Args: json.RawMessage(`{"table":"users","cache":{"key":"user-7","ttl":"10m"}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := (store.Cached{Key: "user-7", TTL: 10 * time.Minute}); f.cached != want || f.operation.Op != dbop.SelectOne {
		t.Errorf("read %s with %+v, want select_one with %+v", f.operation.Op, f.cached, want)
	}
	if want := `{"database":"main","operation":"select_one","table":"users","rows":0,"cached":true}`; string(result.Summary) != want {
		t.Errorf("summary = %s, want %s", result.Summary, want)
	}
}

func TestSelectHasNoEffect(t *testing.T) {
	t.Parallel()
	f := &fake{}
	j := &job.Job{ID: id, Kind: "db.select_one", Args: json.RawMessage(`{"table":"users"}`)}
	if _, err := newHandlers(f).Run(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if f.effect != nil {
		t.Errorf("effect = %+v, want none", f.effect)
	}
	if _, applied, err := newHandlers(f).Seal(t.Context(), j); applied || err != nil || f.sealed != nil {
		t.Errorf("Seal = %v, %v, store asked: %v; want nothing to seal", applied, err, f.sealed != nil)
	}
}

func TestSeal(t *testing.T) {
	t.Parallel()
	f := &fake{}
	result, applied, err := newHandlers(f).Seal(t.Context(), &job.Job{
		ID: id, Kind: "db.delete_one", Generation: 1, Delivery: job.ExactlyOnceEffect,
		Args: json.RawMessage(`{"table":"users","where":{"id":1}}`),
	})
	if err != nil || !applied || string(result) != `{"rows_affected":2}` {
		t.Errorf("Seal = %s, %v, %v; want what the store says", result, applied, err)
	}
	if want := (store.Effect{Job: id, Generation: 1, Required: true}); f.sealed == nil || *f.sealed != want {
		t.Errorf("sealed %+v, want %+v", f.sealed, want)
	}
	if want := []string{"users"}; !slices.Equal(f.changed, want) {
		t.Errorf("sealed a write to %v, want %v", f.changed, want)
	}
}

func TestRequestKey(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                      string
		generation, keyGeneration int
		want                      string
	}{
		{"first", 0, 0, string(id) + ".0"},
		{"retried by hand", 2, 0, string(id) + ".0"},
		{"retried with other args", 1, 1, string(id) + ".0.1"},
		{"and again without", 2, 1, string(id) + ".0.1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{}
			result, err := newHandlers(f).Run(t.Context(), &job.Job{
				ID: id, Kind: "http.request", Generation: test.generation, KeyGeneration: test.keyGeneration,
				Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
				Args:        json.RawMessage(`{"method":"POST","path":"/contacts","body":{"n":1}}`),
			})
			if err != nil {
				t.Fatal(err)
			}
			if f.request.IdempotencyKey != test.want {
				t.Errorf("key = %s, want %s", f.request.IdempotencyKey, test.want)
			}
			if f.request.Traceparent == "" {
				t.Error("the trace context is not passed on")
			}
			var got tasks.HTTPResult
			if err := json.Unmarshal(result.Value, &got); err != nil || got.Status != 201 || string(got.Body) != `{"id":7}` || got.Sends != 2 {
				t.Errorf("result = %s, %v; want the answer", result.Value, err)
			}
		})
	}
}

func TestExchange(t *testing.T) {
	t.Parallel()
	f := &fake{}
	result, err := newHandlers(f).Run(t.Context(), &job.Job{
		ID: id, Kind: "ws.exchange", Args: json.RawMessage(`{"path":"/ws","steps":[{"send":{"a": 1}},{"send":"hi"},{"send":{"$base64":"AA=="}},{"receive":{"count":3}}]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"received":[{"ok":true},"7",{"$base64":"AA=="}],"skipped":0,"close_code":1000,"duration_ms":0}`; string(result.Value) != want {
		t.Errorf("result = %s, want %s", result.Value, want)
	}
	var sent []string
	for _, step := range f.exchange.Steps[:3] {
		sent = append(sent, string(step.Send.Data))
	}
	if f.exchange.IdempotencyKey != string(id)+".0" || !slices.Equal(sent, []string{`{"a": 1}`, "hi", "\x00"}) || f.exchange.Steps[3].Receive.Count != 3 {
		t.Errorf("exchange = %+v, want key and steps", f.exchange)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, kind, args string
		class            job.Class
		code             job.Code
	}{
		{"a kind of another release", "db.teleport", `{}`, job.ClassThrottled, job.CodeUnknownKind},
		{"a database that is not configured here", "db.select_one", `{"database":"other","table":"t"}`, job.ClassPermanent, job.CodeInvalid},
		{"a client that is not configured here", "http.request", `{"client":"other","method":"GET","path":"/"}`, job.ClassPermanent, job.CodeInvalid},
		{"asked to fail", "system.noop", `{"fail":true}`, job.ClassRetryable, job.CodeFailed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := newHandlers(&fake{}).Run(t.Context(), &job.Job{ID: id, Kind: test.kind, Args: json.RawMessage(test.args)})
			var f *job.Failure
			if !errors.As(err, &f) || f.Class != test.class || f.Code != test.code {
				t.Errorf("Run = %v, want a %s failure with code %s", err, test.class, test.code)
			}
		})
	}
}

// The message is a part of the args, so that only those who may see them see it.
func TestNoopMessageIsPrivate(t *testing.T) {
	t.Parallel()
	_, err := newHandlers(&fake{}).Run(t.Context(), &job.Job{ID: id, Kind: "system.noop", Args: json.RawMessage(`{"fail":"hush"}`)})
	var f *job.Failure
	if !errors.As(err, &f) || f.Message != "hush" || !f.Private {
		t.Errorf("Run = %+v, want a private failure that says hush", err)
	}
}

func TestNoopSleeps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHandlers(&fake{})
		began := time.Now()
		nap := &job.Job{ID: id, Kind: "system.noop", Args: json.RawMessage(`{"sleep":"30s"}`)}
		if _, err := h.Run(t.Context(), nap); err != nil || time.Since(began) != 30*time.Second {
			t.Errorf("Run = %v after %v, want nil after 30s", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := h.Run(ctx, nap); err == nil {
			t.Error("Run slept on after its context had ended")
		}
	})
}
