package api

import (
	"context"
	"time"

	"github.com/asyncops/asyncops/job"
)

// AuditLog keeps what operators did. What changes the ledger is written there
// with the change (job.WithAudit).
type AuditLog interface {
	// Audit keeps an entry; its ID and time are the log's to set.
	Audit(ctx context.Context, e job.AuditEntry) error
	// AuditLog returns one page, the latest first, and the cursor of the next, ""
	// on the last.
	AuditLog(ctx context.Context, f job.AuditFilter) (entries []job.AuditEntry, next string, err error)
}

// actions are the routes that operators act by, and what the audit log calls
// what they do.
func actions() map[string]string {
	return map[string]string{
		"POST /v1/jobs/{id}/cancel":     "job.cancel",
		"POST /v1/jobs/{id}/retry":      "job.retry",
		"POST /v1/jobs/{id}/reschedule": "job.reschedule",
		"DELETE /v1/jobs/{id}":          "job.delete",

		"POST /v1/queues/{queue}/pause":  "queue.pause",
		"POST /v1/queues/{queue}/resume": "queue.resume",
		"POST /v1/queues/{queue}/purge":  "queue.purge",

		"POST /v1/schedules":               "schedule.create",
		"PUT /v1/schedules/{name}":         "schedule.put",
		"DELETE /v1/schedules/{name}":      "schedule.delete",
		"POST /v1/schedules/{name}/run":    "schedule.run",
		"POST /v1/schedules/{name}/pause":  "schedule.pause",
		"POST /v1/schedules/{name}/resume": "schedule.resume",

		"POST /v1/databases/{name}/cache/invalidate": "database.cache_invalidate",
		"POST /v1/clients/{name}/cache/invalidate":   "client.cache_invalidate",
		"POST /v1/clients/{name}/breaker/reset":      "client.breaker_reset",
		"POST /v1/workers/{id}/drain":                "worker.drain",

		"POST /v1/session":   "session.login",
		"DELETE /v1/session": "session.logout",
	}
}

// auditTimeout bounds the writing of an entry beside the ledger's own.
const auditTimeout = 5 * time.Second

// begin notes that an act begins; it returns a context for it.
func (s *Server) begin(ctx context.Context, c *call, action string) context.Context {
	if action == "" || s.deps.Audit == nil {
		return ctx
	}
	c.act = &job.Audited{AuditEntry: job.AuditEntry{
		Address: c.RealIP(), Action: action, Outcome: job.AuditOK, RequestID: c.Response().Header().Get(headerRequestID),
	}}
	for _, name := range []string{"id", "queue", "name"} {
		if target := c.Param(name); target != "" {
			c.act.Target = clip(target)
		}
	}
	return job.WithAudit(ctx, c.act)
}

// sign says who acts.
func (c *call) sign() {
	if c.act == nil || c.who == nil {
		return
	}
	c.act.Key, c.act.KeyName, c.act.Via = c.who.id, c.who.name, "key"
	switch {
	case c.session != nil:
		c.act.Via = "session"
	case c.who.id == "":
		c.act.Via = "open"
	}
}

// conclude keeps an act that the ledger has not: one that changes something
// elsewhere, or came to nothing. Acts of nobody are left out: whoever is
// throttled for wrong keys must not fill the log.
func (s *Server) conclude(c *call, err error) {
	if c.act == nil || c.act.Written || c.who == nil {
		return
	}
	c.sign()
	if err != nil {
		answer, _ := answerTo(err)
		c.act.Outcome = answer.Code
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), auditTimeout)
	defer cancel()
	if err := s.deps.Audit.Audit(ctx, c.act.AuditEntry); err != nil {
		s.deps.Log.ErrorContext(ctx, "an act is not in the audit log", "action", c.act.Action, "target", c.act.Target, "key", c.act.Key,
			"outcome", c.act.Outcome, "request_id", c.act.RequestID, "error", err)
	}
}

// auditItem is an entry as it is shown.
type auditItem struct {
	ID        job.ID    `json:"id"`
	At        time.Time `json:"at"`
	Key       *auditKey `json:"key"` // null where none is asked for
	Via       string    `json:"via"`
	Address   string    `json:"address"`
	Action    string    `json:"action"`
	Target    *string   `json:"target"`
	Outcome   string    `json:"outcome"`
	RequestID string    `json:"request_id"`
}

type auditKey struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// listAudit is GET /v1/audit.
func (s *Server) listAudit(ctx context.Context, c *call) error {
	q, err := readQuery(c.Request(), "action", "key", "target", "after", "before", "limit", "cursor")
	if err != nil {
		return err
	}
	var f job.AuditFilter
	for name, into := range map[string]*string{"action": &f.Action, "key": &f.Key, "target": &f.Target, "cursor": &f.Cursor} {
		if *into, err = q.text(name); err != nil {
			return err
		}
	}
	if f.After, err = q.time("after"); err != nil {
		return err
	}
	if f.Before, err = q.time("before"); err != nil {
		return err
	}
	if f.Limit, err = q.limit(maxLimit, defaultLimit); err != nil {
		return err
	}
	page := struct {
		Items []auditItem `json:"items"`
		Next  *string     `json:"next_cursor"`
	}{Items: []auditItem{}}
	if s.deps.Audit == nil {
		return s.sendValue(c, page)
	}
	entries, next, err := s.deps.Audit.AuditLog(ctx, f)
	if err != nil {
		return err
	}
	page.Next = orNil(next)
	for _, e := range entries {
		item := auditItem{
			ID: e.ID, At: e.At, Via: e.Via, Address: e.Address, Action: e.Action, Target: orNil(e.Target), Outcome: e.Outcome, RequestID: e.RequestID,
		}
		if e.Key != "" {
			item.Key = &auditKey{ID: e.Key, Name: e.KeyName}
		}
		page.Items = append(page.Items, item)
	}
	return s.sendValue(c, page)
}
