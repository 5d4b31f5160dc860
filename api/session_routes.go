package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// sessionItem says who asks, as the server sees it.
type sessionItem struct {
	Authenticated bool        `json:"authenticated"`
	KeysRequired  bool        `json:"keys_required"` // false: everybody may do everything
	Key           *sessionKey `json:"key"`           // null where none is needed, or none was given
	Scopes        []Scope     `json:"scopes"`
	ExpiresAt     *time.Time  `json:"expires_at"` // of the session, or the key; null: it lasts
}

// sessionKey is a key and what it is limited to; null is no limit.
type sessionKey struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Role      string   `json:"role"` // "" for scopes alone
	Queues    []string `json:"queues"`
	Kinds     []string `json:"kinds"`
	Databases []string `json:"databases"`
	Clients   []string `json:"clients"`
}

func (s *Server) sessionItem(p *principal, session *job.Session) sessionItem {
	item := sessionItem{KeysRequired: !s.cfg.Open, Scopes: []Scope{}}
	if p == nil {
		return item
	}
	item.Authenticated = true
	for _, scope := range Scopes() {
		if p.scopes.has(scope) {
			item.Scopes = append(item.Scopes, scope)
		}
	}
	if p.id == "" {
		return item
	}
	item.Key = &sessionKey{ID: p.id, Name: p.name, Role: p.role, Queues: p.queues, Kinds: p.kinds, Databases: p.databases, Clients: p.clients}
	expires := p.expires
	if session != nil && (expires.IsZero() || session.ExpiresAt.Before(expires)) {
		expires = session.ExpiresAt
	}
	item.ExpiresAt = orNil(expires)
	return item
}

func (s *Server) sendSession(c *call, p *principal, session *job.Session) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return s.sendValue(c, s.sessionItem(p, session))
}

// getSession is GET /v1/session. Who is nobody gets an answer, too: pages ask
// it before anybody has logged in.
func (s *Server) getSession(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	who, err := s.authenticate(ctx, c)
	if refused, ok := answerTo(err); err != nil && (!ok || refused.Status != http.StatusUnauthorized) {
		return err
	}
	c.Response().Header().Del("WWW-Authenticate")
	return s.sendSession(c, who, c.session)
}

// loginBody is the body of POST /v1/session.
type loginBody struct {
	Key string `json:"key"`
}

// login is POST /v1/session: it begins a session of the key's, which the
// browser keeps in a cookie.
func (s *Server) login(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	if err := s.fromOwnPages(c.Request()); err != nil {
		return err
	}
	body, err := readBody(c.Request(), s.cfg.BodyLimit)
	if err != nil {
		return err
	}
	var in loginBody
	if err := strictjson.Decode(body, &in); err != nil {
		return err
	}
	switch {
	case s.cfg.Open:
		return s.sendSession(c, s.everybody, nil)
	case s.deps.Sessions == nil:
		return refuse(http.StatusNotFound, CodeNotFound, "this process keeps no sessions; send the key with every request")
	case in.Key == "":
		return job.Invalid("/key", tasks.CodeRequired, "the key is empty; write aok_<id>_<secret>")
	}
	if err := s.failures.peek(c.RealIP()); err != nil {
		return err
	}
	who, err := s.byKey(ctx, c, in.Key)
	if err != nil {
		return err
	}
	c.who = who
	c.sign()
	if err := s.limitRate(c); err != nil {
		return err
	}
	session, err := s.openSession(ctx, c, who)
	if err != nil {
		return err
	}
	return s.sendSession(c, who, session)
}

// logout is DELETE /v1/session. Elsewhere the session ends within keyAge.
func (s *Server) logout(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	if err := s.fromOwnPages(c.Request()); err != nil {
		return err
	}
	if err := s.noBody(c); err != nil {
		return err
	}
	id, _, given := sessionOf(c.Request())
	if given && id != "" && s.deps.Sessions != nil {
		who, err := s.bySession(ctx, c)
		var refused *refusal
		switch {
		case errors.As(err, &refused) && refused.Status == http.StatusUnauthorized: // it has ended already
			c.Response().Header().Del("WWW-Authenticate")
			return noContent(c)
		case err != nil:
			return err
		}
		c.who = who
		c.sign()
		if err := s.deps.Sessions.CloseSession(ctx, id); err != nil {
			return err
		}
		s.sessions.put(id, nil, s.now())
	}
	s.dropCookies(c)
	return noContent(c)
}

// fromOwnPages refuses what a browser sends for another site: a session's
// cookie is for this server's own pages.
func (s *Server) fromOwnPages(r *http.Request) error {
	if err := s.ownPages.Check(r); err != nil {
		return refuse(http.StatusForbidden, CodeCrossOrigin, "requests that change something must come from this server's own pages, or carry their key in Authorization")
	}
	return nil
}
