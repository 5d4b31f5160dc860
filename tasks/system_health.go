package tasks

import (
	"fmt"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/strictjson"
)

// Names of what every installation has besides its databases and clients.
const (
	TargetLedger = "ledger"
	TargetRedis  = "redis"
)

// MaxTargets is how many targets one system.health may name.
const MaxTargets = 100

// HealthArgs are the args of system.health.
type HealthArgs struct {
	// Targets are names of databases and clients, TargetLedger and TargetRedis;
	// none means all that there are.
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

// Health looks at targets.
type Health struct{ Targets []string } // as in HealthArgs

// Kind answers with SystemHealth.
func (t *Health) Kind() Kind { return SystemHealth }

func (a HealthArgs) task(c *checker) Task {
	if len(a.Targets) > MaxTargets {
		c.Fail("/args/targets", dbop.CodeTooMany, "%d targets; want at most %d", len(a.Targets), MaxTargets)
		return &Health{}
	}
	for i, name := range a.Targets {
		_, database := c.targets.Database(name)
		_, client := c.targets.Client(name)
		if name == "" || !database && !client && name != TargetLedger && name != TargetRedis {
			c.Fail(fmt.Sprintf("/args/targets/%d", i), CodeUnknownTarget, "no database or client %s is configured", strictjson.Quote(name))
		}
	}
	return &Health{Targets: a.Targets}
}
