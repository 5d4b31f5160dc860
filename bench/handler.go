package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/asyncops/asyncops/internal/load"
)

// handlerCommand is the first argument with which the bench is the server of
// handlerRound; its address and the DSN follow.
const handlerCommand = "handler"

// handled is the job that every answer tells of.
const handled = "018f0000-0000-7000-8000-000000000000"

// serveHandler is what a submission over REST cannot be faster than: a handler
// of net/http in a process of its own that writes one row with the payload and
// answers. It ends with ctx.
func serveHandler(ctx context.Context, addr, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var mu sync.Mutex
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /v1/jobs", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			mu.Lock()
			_, err = conn.Exec(r.Context(), "INSERT INTO plain (payload) VALUES ($1)", body)
			mu.Unlock()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Location", "/v1/jobs/"+handled)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write(body) // who has gone needs no answer
	})
	server := &http.Server{Addr: addr, Handler: mux, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	return server.ListenAndServe()
}

// handlerRound measures submissions to serveHandler.
func (b *bench) handlerRound(ctx context.Context, database string) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	path, err := os.Executable()
	if err != nil {
		return err
	}
	p, err := start(command{
		name: "handler", path: path, args: []string{handlerCommand, addr, b.postgres.dsn(database)},
		env: b.env, dir: b.dir, stop: syscall.SIGTERM,
	})
	if err != nil {
		return err
	}
	defer p.end()
	if err := p.await(ctx, healthy(addr)); err != nil {
		return err
	}
	return b.submitTo(ctx, "submit/handler", load.Target{URL: "http://" + addr}, 1, func() []*child { return []*child{p} })
}
