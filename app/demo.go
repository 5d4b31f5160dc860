package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/asyncops/asyncops/internal/sqliteconn"
)

// demo is the upstream that asyncops dev calls: a small API that behaves like
// a good one, and like a bad one on request. It honours Idempotency-Key.
//
//	POST /echo          201, the body back; a repeated key gets the first answer
//	GET  /users/{id}    200, a made-up user
//	GET  /status/{code} that status
//	GET  /slow?ms=500   200 after so many milliseconds, 10 s at most
type demo struct {
	listener net.Listener
	server   *http.Server

	mu       sync.Mutex
	received int               // guarded by mu
	answers  map[string][]byte // by idempotency key, the last demoKeys; guarded by mu
	order    []string          // of the keys; guarded by mu
}

const (
	demoKeys    = 10_000
	demoBody    = 1 << 20
	demoTimeout = 15 * time.Second
)

func newDemo(ctx context.Context) (*demo, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve the demo upstream: %w", err)
	}
	d := &demo{listener: listener, answers: map[string][]byte{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, map[string]bool{"ok": true}) })
	mux.HandleFunc("POST /echo", d.echo)
	mux.HandleFunc("GET /users/{id}", d.user)
	mux.HandleFunc("GET /status/{code}", d.status)
	mux.HandleFunc("GET /slow", d.slow)
	d.server = &http.Server{Handler: mux, ReadHeaderTimeout: demoTimeout, ReadTimeout: demoTimeout, WriteTimeout: demoTimeout}
	return d, nil
}

func (d *demo) addr() string { return d.listener.Addr().String() }

func (d *demo) close() error { return d.listener.Close() }

// run serves until ctx ends.
func (d *demo) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = d.server.Close() }) // nobody but our own workers is cut off
	defer stop()
	if err := d.server.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the demo upstream: %w", err)
	}
	return nil
}

func (d *demo) echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, demoBody))
	if err != nil {
		http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
		return
	}
	if !json.Valid(body) {
		body, _ = json.Marshal(string(body)) // a string always marshals
	}
	key := r.Header.Get("Idempotency-Key")
	d.mu.Lock()
	defer d.mu.Unlock()
	first, known := d.answers[key]
	if !known || key == "" {
		d.received++
		first, _ = json.Marshal(map[string]any{"received": json.RawMessage(body), "number": d.received}) // body is JSON
		d.keep(key, first)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(first) // the caller went away
}

// keep requires mu.
func (d *demo) keep(key string, first []byte) {
	if key == "" {
		return
	}
	d.answers[key] = first
	d.order = append(d.order, key)
	if len(d.order) > demoKeys {
		delete(d.answers, d.order[0])
		d.order = d.order[1:]
	}
}

func (d *demo) user(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 32)
	if err != nil || id == 0 {
		answer(w, http.StatusNotFound, map[string]string{"error": "no such user"})
		return
	}
	names := []string{"Ada", "Grace", "Edsger", "Barbara", "Donald"}
	answer(w, http.StatusOK, map[string]any{"id": id, "name": names[id%uint64(len(names))]})
}

func (d *demo) status(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.PathValue("code"))
	if err != nil || code < 200 || code > 599 {
		code = http.StatusBadRequest
	}
	answer(w, code, map[string]int{"status": code})
}

func (d *demo) slow(w http.ResponseWriter, r *http.Request) {
	ms, err := strconv.Atoi(r.URL.Query().Get("ms"))
	if err != nil || ms < 0 || ms > 10_000 {
		answer(w, http.StatusBadRequest, map[string]string{"error": "ms must be 0 to 10000"})
		return
	}
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		answer(w, http.StatusOK, map[string]int{"slept_ms": ms})
	case <-r.Context().Done():
	}
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the caller went away
}

// demoTables are the tables of dev's target database.
const demoTables = `CREATE TABLE IF NOT EXISTS users (
	id INTEGER PRIMARY KEY, name TEXT, email TEXT, status TEXT DEFAULT 'active',
	created_at DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE IF NOT EXISTS accounts (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, balance INTEGER NOT NULL DEFAULT 0);
`

func makeDemoTables(ctx context.Context, path string) error {
	db, err := sqliteconn.Open(sqliteconn.Config{Path: path})
	if err != nil {
		return fmt.Errorf("make the demo tables: %w", err)
	}
	if _, err := db.Writer().ExecContext(ctx, demoTables); err != nil {
		return errors.Join(fmt.Errorf("make the demo tables: %w", err), db.Close())
	}
	return db.Close()
}
