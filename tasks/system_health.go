package tasks

import (
	"fmt"
	"strings"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
)

// MaxTargets is how many targets one system.health may name.
const MaxTargets = 100

// HealthArgs are the args of system.health.
type HealthArgs struct {
	// Targets are names of databases and clients, "ledger" and "redis"; none means
	// all that there are. "database main" and "client main" tell apart what has
	// the same name.
	Targets []string `json:"targets,omitempty"`
}

// HealthResult is the result of system.health.
type HealthResult struct {
	Status  string         `json:"status"` // the worst of the targets'
	Targets []TargetHealth `json:"targets"`
}

// TargetHealth is how one target was found.
type TargetHealth struct {
	Type      string   `json:"type"` // database, client, ledger or redis
	Name      string   `json:"name"`
	Status    string   `json:"status"`     // ok, degraded or down
	LatencyMS *float64 `json:"latency_ms"` // nil when it is down
	Detail    string   `json:"detail"`     // what is wrong; "" when nothing is
}

// Health looks at targets; at all when none is named.
type Health struct{ Targets []job.Target }

// Kind answers with SystemHealth.
func (t *Health) Kind() Kind { return SystemHealth }

func (a HealthArgs) task(c *checker) Task {
	if len(a.Targets) > MaxTargets {
		c.Fail("/args/targets", dbop.CodeTooMany, "%d targets; want at most %d", len(a.Targets), MaxTargets)
		return &Health{}
	}
	task := &Health{}
	for i, name := range a.Targets {
		found := LookUpTarget(name, c.targets)
		switch len(found) {
		case 0:
			c.Fail(fmt.Sprintf("/args/targets/%d", i), CodeUnknownTarget, "no database or client %s is configured", strictjson.Quote(name))
		case 1:
			task.Targets = append(task.Targets, found[0])
		default:
			c.Fail(fmt.Sprintf("/args/targets/%d", i), CodeAmbiguousTarget, "is a database and a client; write %q or %q",
				found[0], found[1])
		}
	}
	return task
}

// LookUpTarget returns what a name in the args of system.health stands for:
// nothing, one target, or the database and the client that both have it.
func LookUpTarget(name string, targets Targets) []job.Target {
	kind, rest, typed := strings.Cut(name, " ")
	if !typed {
		kind, rest = "", name
	}
	var found []job.Target
	switch {
	case rest == "":
	case !typed && (name == string(job.TypeLedger) || name == string(job.TypeRedis)):
		found = append(found, job.Target{Type: job.TargetType(name), Name: name})
	default:
		if _, ok := targets.Database(rest); ok && (!typed || kind == string(job.TypeDatabase)) {
			found = append(found, job.DatabaseTarget(rest))
		}
		if _, ok := targets.Client(rest); ok && (!typed || kind == string(job.TypeClient)) {
			found = append(found, job.ClientTarget(rest))
		}
	}
	return found
}
