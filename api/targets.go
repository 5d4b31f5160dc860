package api

import (
	"context"
	"slices"

	"github.com/asyncops/asyncops/job"
)

func (d Database) name() string { return d.Name }
func (c Client) name() string   { return c.Name }

// databases returns those that the caller may use.
func (s *Server) databases(ctx context.Context, who *principal) ([]Database, error) {
	if s.deps.Statuses == nil {
		return nil, nil
	}
	list, err := s.deps.Statuses.Databases(ctx)
	return allowed(who.databases, list, Database.name), err
}

// clients returns those that the caller may use.
func (s *Server) clients(ctx context.Context, who *principal) ([]Client, error) {
	if s.deps.Statuses == nil {
		return nil, nil
	}
	list, err := s.deps.Statuses.Clients(ctx)
	return allowed(who.clients, list, Client.name), err
}

// listDatabases is GET /v1/databases.
func (s *Server) listDatabases(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	list, err := s.databases(ctx, c.who)
	if err != nil {
		return err
	}
	return s.sendValue(c, listOf(list))
}

// getDatabase is GET /v1/databases/{name}.
func (s *Server) getDatabase(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	if err := limited(c.who.databases, "database", c.Param("name")); err != nil {
		return err
	}
	list, err := s.databases(ctx, c.who)
	if err != nil {
		return err
	}
	return sendNamed(s, c, list, Database.name)
}

// sendNamed answers with the item that the path names.
func sendNamed[T any](s *Server, c *call, list []T, name func(T) string) error {
	i := slices.IndexFunc(list, func(item T) bool { return name(item) == c.Param("name") })
	if i < 0 {
		return job.ErrNotFound
	}
	return s.sendValue(c, list[i])
}
