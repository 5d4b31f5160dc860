package api

import (
	"context"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// invalidateBody is the body of POST /v1/databases/{name}/cache/invalidate.
type invalidateBody struct {
	Table *string `json:"table"`
	Key   *string `json:"key"`
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
	body, err := readBody(c.Request(), s.cfg.BodyLimit)
	if err != nil {
		return err
	}
	var in invalidateBody
	if err := strictjson.Decode(body, &in); err != nil {
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
