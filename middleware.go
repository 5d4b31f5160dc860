package asyncops

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/store"
)

// MiddlewareConfig is what Middleware does. Zero fields mean their defaults.
type MiddlewareConfig struct {
	// Timeout is how long a request may take: then its context ends. Default
	// api.request_timeout. Prefer: wait is not counted.
	Timeout time.Duration
	// JobsPath is where the program has its route for JobStatus, without the id;
	// default "/jobs". It is what Background answers in Location.
	JobsPath string
	// OwnerFunc says who asks, by a name that does not change. His jobs and
	// idempotency keys are apart from those of others. Default: one for all.
	OwnerFunc func(echo.Context) string
	// ErrorHandler answers errors that are none of asyncops's, those of echo
	// among them. By default they are problems, too, and what is not one of
	// echo's is logged and answered with 500.
	ErrorHandler echo.HTTPErrorHandler
}

// Middleware gives requests a request id (X-Request-Id, the caller's or a new
// one), an end by which they must be answered, and the App, which Database,
// Client, Cache and FromContext return. What handlers return as errors it
// answers as application/problem+json: docs/echo.md has the table.
func Middleware(a *App) echo.MiddlewareFunc { return MiddlewareWithConfig(a, MiddlewareConfig{}) }

// MiddlewareWithConfig is Middleware with settings.
func MiddlewareWithConfig(a *App, config MiddlewareConfig) echo.MiddlewareFunc {
	if config.Timeout == 0 {
		config.Timeout = a.embedded.RequestTimeout()
	}
	if config.JobsPath == "" {
		config.JobsPath = "/jobs"
	}
	if config.OwnerFunc == nil {
		config.OwnerFunc = func(echo.Context) string { return "" }
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			v := &visit{app: a, config: &config, whole: r.Context()}
			ctx, cancel := context.WithTimeout(context.WithValue(v.whole, visitKey{}, v), config.Timeout)
			defer cancel()
			identify(c)
			c.SetRequest(r.WithContext(ctx))
			if err := v.serve(c, next); err != nil {
				v.answer(c, err)
			}
			return nil
		}
	}
}

// identify gives the request an id, of which the answer tells.
func identify(c echo.Context) {
	answer, asked := c.Response().Header(), c.Request().Header
	if answer.Get(echo.HeaderXRequestID) == "" {
		answer.Set(echo.HeaderXRequestID, api.RequestID(asked))
	}
	asked.Set(echo.HeaderXRequestID, answer.Get(echo.HeaderXRequestID)) // what logs read
}

// visit is a request that has passed Middleware.
type visit struct {
	app    *App
	config *MiddlewareConfig
	whole  context.Context //nolint:containedctx // the request's without its end, for waits that were asked for
}

type visitKey struct{}

func (v *visit) serve(c echo.Context, next echo.HandlerFunc) error {
	if !v.app.embedded.Running() {
		return errNotRunning()
	}
	return next(c)
}

// errNotRunning tells the caller less than the log.
func errNotRunning() error {
	return fmt.Errorf("asyncops: the App does not run: Start it before the server, and Close it after: %w",
		api.Refuse(http.StatusServiceUnavailable, api.CodeUnavailable, "this server is starting or stopping; try again later"))
}

func (v *visit) owner(c echo.Context) string { return v.config.OwnerFunc(c) }

// visitOf is what Middleware has put into the request's context, nil where it
// has not been.
func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// errNoMiddleware is a fault of the program.
var errNoMiddleware = errors.New("asyncops: the route is not behind asyncops.Middleware")

// FromContext returns the App of a request's context, nil where there is none.
func FromContext(ctx context.Context) *App {
	if v := visitOf(ctx); v != nil {
		return v.app
	}
	return nil
}

// Database returns the App's database of the name; "" is the only one. It
// panics for a name that is not configured, and for a route that is not behind
// Middleware: both are faults of the program. App.Database tells of them when
// the program starts.
func Database(c echo.Context, name string) *store.Target {
	return must(mustApp(c).Database(name))
}

// Client returns the App's client of the name, as Database does databases.
func Client(c echo.Context, name string) *clients.Client {
	return must(mustApp(c).Client(name))
}

// Cache returns the App's cache. It panics for a route that is not behind
// Middleware.
func Cache(c echo.Context) *cache.Space { return mustApp(c).Cache() }

func mustApp(c echo.Context) *App {
	a := FromContext(c.Request().Context())
	if a == nil {
		panic(errNoMiddleware)
	}
	return a
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
