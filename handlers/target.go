package handlers

import (
	"encoding/json"
	"strings"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/job"
)

// DatabaseTarget is the name by which a database is known as the target of
// jobs, such as "database main".
func DatabaseTarget(name string) string { return "database " + name }

// Target names the target of a job whose room is bounded; "" for none. Args
// that cannot be read name none: the run tells what is wrong with them.
func (h *Handlers) Target(j *job.Job) string {
	family, _, _ := strings.Cut(j.Kind, ".")
	if family != "db" && family != "http" && family != "ws" {
		return ""
	}
	var args struct {
		Database string `json:"database"`
		Client   string `json:"client"`
	}
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return ""
	}
	if family == "db" {
		if database, ok := h.targets.Database(args.Database); ok {
			return DatabaseTarget(database.Name)
		}
		return ""
	}
	if client, ok := h.targets.Client(args.Client); ok {
		return clients.Target(client.Name)
	}
	return ""
}
