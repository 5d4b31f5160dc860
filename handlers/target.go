package handlers

import (
	"encoding/json"
	"strings"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// Target names the target of a job whose room is bounded; "" for none. Args
// that cannot be read name none: the run tells what is wrong with them.
func (h *Handlers) Target(j *job.Job) string {
	family, _, _ := strings.Cut(j.Kind, ".")
	if family != "db" && family != "http" && family != "ws" && j.Kind != string(tasks.SystemNotify) {
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
			return job.DatabaseTarget(database.Name).String()
		}
		return ""
	}
	if client, ok := h.targets.Client(args.Client); ok {
		return job.ClientTarget(client.Name).String()
	}
	return ""
}
