package handlers

import (
	"encoding/json"
	"strings"

	"github.com/asyncops/asyncops/job"
)

// DatabaseTarget is the name by which a database is known as the target of
// jobs, such as "database main".
func DatabaseTarget(name string) string { return "database " + name }

// Target names the target of a job whose room is bounded; "" for none. Args
// that cannot be read name none: the run tells what is wrong with them.
func (h *Handlers) Target(j *job.Job) string {
	if !strings.HasPrefix(j.Kind, "db.") {
		return ""
	}
	var args struct {
		Database string `json:"database"`
	}
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return ""
	}
	database, ok := h.targets.Database(args.Database)
	if !ok {
		return ""
	}
	return DatabaseTarget(database.Name)
}
