package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// unreadable is the name, which no target can have, of the target of a job
// whose args cannot be read.
const unreadable = "?"

// permitTask answers 403 unless the key may use the task's targets.
func (p *principal) permitTask(task tasks.Task) error {
	switch t := task.(type) {
	case *tasks.DB:
		return limited(p.databases, "database", t.Database)
	case *tasks.Transaction:
		return limited(p.databases, "database", t.Database)
	case *tasks.HTTP:
		return limited(p.clients, "client", t.Client)
	case *tasks.Exchange:
		return limited(p.clients, "client", t.Client)
	case *tasks.Batch:
		return p.permitClients(t.Clients())
	case *tasks.Warm:
		return p.permitAll(t.Targets())
	case *tasks.Health:
		return p.permitHealth(t.Targets)
	}
	return nil
}

// permitHealth lets a key that is limited to databases or clients look at those
// alone.
func (p *principal) permitHealth(targets []job.Target) error {
	if p.databases == nil && p.clients == nil {
		return nil
	}
	if len(targets) == 0 {
		return refuse(http.StatusForbidden, CodeForbidden, "this key is limited to some targets; name those to look at")
	}
	return p.permitAll(targets)
}

// permitAll answers 403 unless the key may use all of the targets.
func (p *principal) permitAll(targets []job.Target) error {
	if p.databases == nil && p.clients == nil {
		return nil
	}
	for _, target := range targets {
		if !p.permitsTarget(target) {
			return refuse(http.StatusForbidden, CodeForbidden, "this key is limited to some targets, and %s is none of them", clip(target.String()))
		}
	}
	return nil
}

// permitsTarget reports whether a key that is limited to databases or clients may
// use the target.
func (p *principal) permitsTarget(target job.Target) bool {
	switch target.Type {
	case job.TypeDatabase:
		return p.databases == nil || slices.Contains(p.databases, target.Name)
	case job.TypeClient:
		return p.clients == nil || slices.Contains(p.clients, target.Name)
	}
	return false
}

func (p *principal) permitClients(names []string) error {
	for _, name := range names {
		if err := limited(p.clients, "client", name); err != nil {
			return err
		}
	}
	return nil
}

// permitTargets answers 403 unless the key may use the targets of a stored job.
func (s *Server) permitTargets(p *principal, j *job.Job) error {
	var args struct {
		Database string `json:"database"`
		Client   string `json:"client"`
		Requests []struct {
			Client string `json:"client"`
		} `json:"requests"`
		Targets []string `json:"targets"` // to look at
	}
	if j.Kind == string(tasks.CacheWarm) {
		return p.permitAll(s.warmTargets(j.Args))
	}
	family, _, _ := strings.Cut(j.Kind, ".")
	if family != "db" && family != "http" && family != "ws" && j.Kind != string(tasks.SystemHealth) && j.Kind != string(tasks.SystemNotify) {
		return nil
	}
	if err := json.Unmarshal(j.Args, &args); err != nil {
		args.Database, args.Client, args.Requests, args.Targets = unreadable, unreadable, nil, []string{unreadable}
	}
	if j.Kind == string(tasks.SystemHealth) {
		return p.permitHealth(s.healthTargets(args.Targets))
	}
	if family == "db" {
		if target, ok := s.deps.Targets.Database(args.Database); ok {
			return limited(p.databases, "database", target.Name)
		}
		return limited(p.databases, "database", orUnreadable(args.Database))
	}
	names := []string{args.Client}
	if j.Kind == string(tasks.HTTPBatch) && len(args.Requests) > 0 {
		names = names[:0]
		for _, r := range args.Requests {
			if r.Client == "" {
				r.Client = args.Client
			}
			names = append(names, r.Client)
		}
	}
	for i, name := range names {
		if target, ok := s.deps.Targets.Client(name); ok {
			names[i] = target.Name
		} else {
			names[i] = orUnreadable(name)
		}
	}
	return p.permitClients(names)
}

// warmTargets are the targets of a stored cache.warm; one that no key is limited
// to where its args cannot be read any more.
func (s *Server) warmTargets(args json.RawMessage) []job.Target {
	task, err := tasks.ParseStored(string(tasks.CacheWarm), args, s.deps.Targets)
	if warm, ok := task.(*tasks.Warm); ok && err == nil {
		return warm.Targets()
	}
	return []job.Target{{Name: unreadable}}
}

// healthTargets are the targets of a stored system.health. A name that stands for
// none, or for two, is one that no key is limited to.
func (s *Server) healthTargets(names []string) []job.Target {
	targets := make([]job.Target, len(names))
	for i, name := range names {
		if found := tasks.LookUpTarget(name, s.deps.Targets); len(found) == 1 {
			targets[i] = found[0]
		} else {
			targets[i].Name = name
		}
	}
	return targets
}

func orUnreadable(name string) string {
	if name == "" {
		return unreadable
	}
	return name
}
