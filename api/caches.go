package api

import (
	"context"
	"net/http"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// invalidateBody is the body of POST /v1/databases/{name}/cache/invalidate.
type invalidateBody struct {
	Table *string `json:"table"`
	Key   *string `json:"key"`
}

// invalidateClientBody is the body of POST /v1/clients/{name}/cache/invalidate.
type invalidateClientBody struct {
	Key        *string `json:"key"`
	PathPrefix *string `json:"path_prefix"`
	All        *bool   `json:"all"`
}

// invalidateDatabase is POST /v1/databases/{name}/cache/invalidate: results that
// were read from a table, or are kept under a key, are read anew from now on.
func (s *Server) invalidateDatabase(_ context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	name := c.Param("name")
	if err := limited(c.who.databases, "database", name); err != nil {
		return err
	}
	database, ok := s.deps.Targets.Database(name)
	if !ok || name == "" {
		return job.ErrNotFound
	}
	var in invalidateBody
	if err := s.decode(c, &in); err != nil {
		return err
	}
	tables, keys, err := in.check(database)
	if err != nil {
		return err
	}
	if s.deps.Caches != nil {
		if err := s.deps.Caches.InvalidateDatabase(name, tables, keys); err != nil {
			return err
		}
	}
	return noContent(c)
}

// decode reads the body of a request.
func (s *Server) decode(c *call, in any) error {
	body, err := readBody(c.Request(), s.cfg.BodyLimit)
	if err != nil {
		return err
	}
	return strictjson.Decode(body, in)
}

// invalidateClient is POST /v1/clients/{name}/cache/invalidate: answers that are
// kept under a key, or of the path and what is below it, are asked for anew from
// now on.
func (s *Server) invalidateClient(_ context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	name := c.Param("name")
	if err := limited(c.who.clients, "client", name); err != nil {
		return err
	}
	if _, ok := s.deps.Targets.Client(name); !ok || name == "" {
		return job.ErrNotFound
	}
	var in invalidateClientBody
	if err := s.decode(c, &in); err != nil {
		return err
	}
	key, prefix, err := in.check()
	if err != nil {
		return err
	}
	if s.deps.Caches != nil {
		if err := s.deps.Caches.InvalidateClient(name, key, prefix); err != nil {
			return err
		}
	}
	return noContent(c)
}

func (b invalidateClientBody) check() (key, prefix string, err error) {
	given := 0
	for _, set := range []bool{b.Key != nil, b.PathPrefix != nil, b.All != nil} {
		if set {
			given++
		}
	}
	switch {
	case given != 1:
		return "", "", job.Invalid("", tasks.CodeRequired, `write {"key":…}, {"path_prefix":…} or {"all":true}`)
	case b.Key != nil && *b.Key == "":
		return "", "", job.Invalid("/key", tasks.CodeRequired, "the key is empty; write the key that the requests have in cache")
	case b.Key != nil:
		return *b.Key, "", nil
	case b.All != nil && !*b.All:
		return "", "", job.Invalid("/all", tasks.CodeRequired, `write {"all":true}, or name a key or a path_prefix`)
	case b.All != nil:
		return "", "/", nil
	}
	for _, fault := range httpop.Check(httpop.Request{Method: http.MethodGet, Path: *b.PathPrefix}, httpop.Policy{}) {
		return "", "", job.Invalid("/path_prefix", fault.Code, "as a path_prefix: %s", fault.Message)
	}
	return "", *b.PathPrefix, nil
}

func (b invalidateBody) check(database tasks.Database) (tables, keys []string, err error) {
	switch {
	case (b.Table == nil) == (b.Key == nil):
		return nil, nil, job.Invalid("", tasks.CodeRequired, `write {"table":…} or {"key":…}`)
	case b.Table != nil:
		if faults := database.Registry.Check(dbop.Operation{Op: dbop.SelectOne, Table: *b.Table}); len(faults) > 0 {
			return nil, nil, &job.InvalidError{Fields: faults}
		}
		return []string{*b.Table}, nil, nil
	case *b.Key == "":
		return nil, nil, job.Invalid("/key", tasks.CodeRequired, "the key is empty; write the key that the reads have in cache")
	}
	return nil, []string{*b.Key}, nil
}
