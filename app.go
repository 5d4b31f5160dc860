package asyncops

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"sync"

	"github.com/asyncops/asyncops/app"
	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/store"
)

// App is what a configuration describes, inside a program. It is safe for
// concurrent use.
type App struct {
	embedded *app.Embedded
	metrics  func() http.Handler
}

// Option says something about an App.
type Option func(*options)

type options struct {
	process    app.Process
	standalone bool
}

// WithLogger has the App log there, instead of to standard error as the
// configuration says.
func WithLogger(log *slog.Logger) Option { return func(o *options) { o.process.Log = log } }

// WithSigners registers types of client authentication, by the names that
// auth: {type: custom, name: …} gives them. The App must have all that the
// configuration names.
func WithSigners(signers map[string]clients.Signer) Option {
	return func(o *options) { o.process.Signers = maps.Clone(signers) }
}

// Standalone makes of the program a whole installation: it brings the ledger's
// schema up, runs jobs and fires schedules. Only with it may redis.url be none.
func Standalone() Option { return func(o *options) { o.standalone = true } }

// Open reads a configuration from the file at path ("" is the one that
// ASYNCOPS_CONFIG names) and the environment, and opens what it describes. It
// waits for no server. Its error is about settings, with a line for each
// problem. Start comes next; Close closes the App.
func Open(path string, opts ...Option) (*App, error) {
	o := options{process: app.OS()}
	for _, set := range opts {
		set(&o)
	}
	embedded, err := o.process.Embed(path, o.standalone)
	if err != nil {
		return nil, err
	}
	return &App{embedded: embedded, metrics: sync.OnceValue(embedded.Metrics)}, nil
}

// Start starts what an App does in the background: it hears what other
// processes change in the cache, and shares limits and breakers with them. It
// returns when that is so, after some seconds at most where servers are away;
// they are waited for in the background. When it returns an error, because ctx
// has ended or a part has failed, the App can only be closed.
func (a *App) Start(ctx context.Context) error {
	if err := a.embedded.Start(ctx); err != nil {
		return fmt.Errorf("asyncops: start: %w", err)
	}
	return nil
}

// Done is closed when what runs in the background has ended: after Close, or
// because a part of it failed, which Close then tells.
func (a *App) Done() <-chan struct{} { return a.embedded.Done() }

// Close stops what runs in the background, jobs too, which others finish, and
// closes all connections. Requests that use the App should have ended before:
// shut the server down first. Further calls return the same.
func (a *App) Close() error { return a.embedded.Close() }

// Database returns the configured database of the name; "" is the only one. It
// is a store.Session, for the typed operations of package store.
func (a *App) Database(name string) (*store.Target, error) {
	target, err := a.embedded.Database(name)
	if err != nil {
		return nil, fmt.Errorf("asyncops: %w", err)
	}
	return target, nil
}

// Client returns the configured client of the name; "" is the only one.
func (a *App) Client(name string) (*clients.Client, error) {
	client, err := a.embedded.Client(name)
	if err != nil {
		return nil, fmt.Errorf("asyncops: %w", err)
	}
	return client, nil
}

// Cache returns the program's own space of the cache, "app". Where cache.enabled
// is false it keeps nothing: every Get loads.
func (a *App) Cache() *cache.Space { return a.embedded.Cache() }

// Metrics serves the App's metrics in Prometheus' form. Where observability.metrics
// is false it answers 404.
func (a *App) Metrics() http.Handler {
	if h := a.metrics(); h != nil {
		return h
	}
	return http.NotFoundHandler()
}
