package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncops/asyncops/job"
)

// call is one request on its way through a route.
type call struct {
	echo.Context
	who     *principal   // nil on open routes, until somebody logs in
	act     *job.Audited // nil: what is asked for is no act
	session *job.Session // by which who was found; nil: by a key, or nobody is asked
}

// route is one line of the table of routes.
type route struct {
	method string
	path   string // as in the OpenAPI document
	scope  Scope  // that the caller needs; "" serves everybody
	handle func(context.Context, *call) error
}

// media is the type of the route's answers.
func (r route) media() string {
	if strings.HasSuffix(r.path, "/events") {
		return mediaEvents
	}
	return mediaJSON
}

// routes is the REST interface, whole. The OpenAPI document has the same lines.
func (s *Server) routes() []route {
	return []route{
		{"POST", "/v1/jobs", JobsWrite, s.submit},
		{"POST", "/v1/jobs/batch", JobsWrite, s.submitBatch},
		{"GET", "/v1/jobs", JobsRead, s.listJobs},
		{"GET", "/v1/jobs/{id}", JobsRead, s.getJob},
		{"GET", "/v1/jobs/{id}/attempts", JobsRead, s.listAttempts},
		{"GET", "/v1/jobs/{id}/result", JobsRead, s.getResult},
		{"GET", "/v1/jobs/{id}/events", JobsRead, s.jobEvents},
		{"GET", "/v1/events", JobsRead, s.fleetEvents},
		{"POST", "/v1/jobs/{id}/cancel", JobsWrite, s.cancelJob},
		{"POST", "/v1/jobs/{id}/retry", JobsWrite, s.retryJob},
		{"POST", "/v1/jobs/{id}/reschedule", JobsWrite, s.rescheduleJob},
		{"DELETE", "/v1/jobs/{id}", JobsWrite, s.deleteJob},
		{"GET", "/v1/kinds", JobsRead, s.listKinds},
		{"GET", "/v1/queues", JobsRead, s.listQueues},
		{"GET", "/v1/queues/{queue}", JobsRead, s.getQueue},
		{"GET", "/v1/queues/{queue}/doorbells", JobsRead, s.listDoorbells},
		{"POST", "/v1/queues/{queue}/pause", QueuesAdmin, s.pauseQueue},
		{"POST", "/v1/queues/{queue}/resume", QueuesAdmin, s.resumeQueue},
		{"POST", "/v1/queues/{queue}/purge", QueuesAdmin, s.purgeQueue},
		{"GET", "/v1/failures", JobsRead, s.listFailures},
		{"GET", "/v1/schedules", JobsRead, s.listSchedules},
		{"POST", "/v1/schedules", SchedulesWrite, s.createSchedule},
		{"GET", "/v1/schedules/{name}", JobsRead, s.getSchedule},
		{"PUT", "/v1/schedules/{name}", SchedulesWrite, s.putSchedule},
		{"DELETE", "/v1/schedules/{name}", SchedulesWrite, s.deleteSchedule},
		{"POST", "/v1/schedules/{name}/run", SchedulesWrite, s.runSchedule},
		{"POST", "/v1/schedules/{name}/pause", SchedulesWrite, s.pauseSchedule},
		{"POST", "/v1/schedules/{name}/resume", SchedulesWrite, s.resumeSchedule},
		{"GET", "/v1/databases", JobsRead, s.listDatabases},
		{"GET", "/v1/databases/{name}", JobsRead, s.getDatabase},
		{"POST", "/v1/databases/{name}/cache/invalidate", TargetsAdmin, s.invalidateDatabase},
		{"POST", "/v1/clients/{name}/cache/invalidate", TargetsAdmin, s.invalidateClient},
		{"GET", "/v1/clients", JobsRead, s.listClients},
		{"GET", "/v1/clients/{name}", JobsRead, s.getClient},
		{"POST", "/v1/clients/{name}/breaker/reset", TargetsAdmin, s.resetBreaker},
		{"GET", "/v1/workers", JobsRead, s.listWorkers},
		{"GET", "/v1/alerts", JobsRead, s.listAlerts},
		{"POST", "/v1/workers/{id}/drain", TargetsAdmin, s.drainWorker},
		{"GET", "/v1/audit", AuditRead, s.listAudit},
		{"GET", "/v1/stats", JobsRead, s.getStats},
		{"GET", "/v1/session", "", s.getSession},
		{"POST", "/v1/session", "", s.login},
		{"DELETE", "/v1/session", "", s.logout},
		{"GET", "/openapi.json", "", s.openAPI},
		{"GET", "/docs", "", s.docs},
		{"GET", "/docs/{file}", "", s.docsFile},
		{"GET", "/healthz", "", mounted(s.deps.Healthz)},
		{"GET", "/readyz", "", mounted(s.deps.Readyz)},
		{"GET", "/metrics", "", mounted(s.deps.Metrics)},
	}
}

// mounted serves a handler that was made elsewhere.
func mounted(h http.Handler) func(context.Context, *call) error {
	return func(ctx context.Context, c *call) error {
		if h == nil {
			return refuse(http.StatusNotFound, CodeNotFound, "this process does not serve %s", c.Request().URL.Path)
		}
		h.ServeHTTP(c.Response(), c.Request().WithContext(ctx))
		return nil
	}
}

// register puts the routes into echo's router.
func (s *Server) register() {
	braces := strings.NewReplacer("{", ":", "}", "")
	for _, r := range s.routes() {
		s.echo.Add(r.method, braces.Replace(r.path), s.serve(r))
	}
	s.registerDashboard()
	s.echo.HTTPErrorHandler = func(err error, c echo.Context) {
		s.finish(&call{Context: c}, "", time.Now(), routingError(err, c))
	}
}

// registerDashboard serves the pages, with login and logout beside them: a page
// reaches these by a relative path, wherever a proxy puts it.
func (s *Server) registerDashboard() {
	base := s.cfg.DashboardPath
	if base == "" || s.deps.Dashboard == nil {
		return
	}
	pages := s.serve(route{method: http.MethodGet, path: dashboardRoute, handle: mounted(s.deps.Dashboard)})
	for _, path := range []string{strings.TrimSuffix(base, "/"), base, base + "*"} {
		s.echo.Add(http.MethodGet, path, pages)
	}
	for method, handle := range map[string]func(context.Context, *call) error{http.MethodPost: s.login, http.MethodDelete: s.logout} {
		s.echo.Add(method, base+"session", s.serve(route{method: method, path: "/v1/session", handle: handle}))
	}
}

// dashboardRoute is what requests for pages are accounted as.
const dashboardRoute = "/dashboard/"

// routingError turns what echo says of a request that has no route into ours.
func routingError(err error, c echo.Context) error {
	switch {
	case errors.Is(err, echo.ErrNotFound):
		return refuse(http.StatusNotFound, CodeNotFound, "there is nothing at this path")
	case errors.Is(err, echo.ErrMethodNotAllowed):
		h := c.Response().Header()
		if allowed := h.Get("Allow"); strings.Contains(allowed, http.MethodGet) {
			h.Set("Allow", allowed+", HEAD")
		}
		return refuse(http.StatusMethodNotAllowed, CodeMethodNotAllowed, "this path does not take %s; see Allow", clip(c.Request().Method))
	}
	return err
}

// serve carries a request through a route: who asks, may they, the work, the
// answer, and the accounting.
func (s *Server) serve(r route) echo.HandlerFunc {
	action := actions()[r.method+" "+r.path]
	return func(ec echo.Context) error {
		started := time.Now()
		c := &call{Context: ec}
		ctx, cancel := s.withTimeout(ec.Request().Context())
		defer cancel()
		ctx = s.begin(ctx, c, action)
		err := s.guard(func() error {
			if err := s.admit(ctx, c, r); err != nil {
				return err
			}
			c.sign()
			return r.handle(ctx, c)
		})
		s.conclude(c, err)
		s.finish(c, r.path, started, err)
		return nil
	}
}

// withTimeout is a context that ends when the request has taken too long.
func (s *Server) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, s.cfg.RequestTimeout, errRequestTimeout)
}

// admit decides whether a request is carried out at all.
func (s *Server) admit(ctx context.Context, c *call, r route) error {
	if r.scope == "" {
		return nil
	}
	who, err := s.authenticate(ctx, c)
	if err != nil {
		return err
	}
	c.who = who
	if err := s.limitRate(c); err != nil {
		return err
	}
	if err := who.allow(r.scope); err != nil {
		return err
	}
	if err := s.sameOrigin(c); err != nil {
		return err
	}
	if media := r.media(); !accepts(c.Request().Header, media) {
		return refuse(http.StatusNotAcceptable, CodeNotAcceptable, "answers are %s, which the Accept header excludes", media)
	}
	return nil
}
