package observe

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Status is how something is.
type Status string

// From best to worst.
const (
	OK       Status = "ok"
	Degraded Status = "degraded" // it works, with something missing
	Down     Status = "down"     // it does not
)

// worse returns the worse of the two.
func (s Status) worse(other Status) Status {
	order := []Status{OK, Degraded, Down}
	if slices.Index(order, other) > slices.Index(order, s) {
		return other
	}
	return s
}

// Defaults of a HealthConfig.
const (
	DefaultCheckInterval = 5 * time.Second
	DefaultCheckTimeout  = 3 * time.Second
)

// Check is one thing that a process depends on.
type Check struct {
	// Name is shown in /readyz, such as "ledger" or "database main". Required.
	Name string
	// Func looks and answers with a detail that everybody may read: no secret,
	// no data source name. It must heed its context, which ends after the
	// timeout. Required.
	Func func(ctx context.Context) (Status, string)
	// Critical makes the process not ready while the check is Down. Other
	// checks make it degraded at most.
	Critical bool
}

// CheckResult is what a Check found last.
type CheckResult struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Detail string `json:"detail"`
}

// HealthConfig says how often checks are made. Zero fields mean their defaults.
type HealthConfig struct {
	Interval time.Duration // between checks of one thing; default DefaultCheckInterval
	Timeout  time.Duration // of one check; default DefaultCheckTimeout
}

// Health makes checks in the background, so that asking costs nothing. All
// methods are safe for concurrent use.
type Health struct {
	interval, timeout time.Duration
	log               *slog.Logger
	draining          atomic.Bool
	checks            []*checked
}

// checked is a Check and what it found.
type checked struct {
	Check

	mu     sync.Mutex
	result CheckResult // guarded by mu
	at     time.Time   // of result; zero: none yet; guarded by mu
}

// NewHealth returns the health of a process with these checks, in the order in
// which they are shown. Until Run has made a check for the first time it counts
// as Down.
func NewHealth(cfg HealthConfig, log *slog.Logger, checks ...Check) *Health {
	h := &Health{interval: cfg.Interval, timeout: cfg.Timeout, log: log}
	if h.interval <= 0 {
		h.interval = DefaultCheckInterval
	}
	if h.timeout <= 0 {
		h.timeout = DefaultCheckTimeout
	}
	for _, c := range checks {
		h.checks = append(h.checks, &checked{Check: c})
	}
	return h
}

// Run makes the checks, each on its own, until ctx ends, and returns nil when
// the last has returned.
func (h *Health) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	for _, c := range h.checks {
		loops.Go(func() { h.repeat(ctx, c) })
	}
	loops.Wait()
	return nil
}

func (h *Health) repeat(ctx context.Context, c *checked) {
	ticker := time.NewTicker(h.interval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		h.check(ctx, c)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

func (h *Health) check(ctx context.Context, c *checked) {
	limited, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	status, detail := c.Func(limited)
	if ctx.Err() != nil {
		return // what is found while the process stops says nothing
	}
	c.mu.Lock()
	before, first := c.result, c.at.IsZero()
	c.result, c.at = CheckResult{Name: c.Name, Status: status, Detail: detail}, time.Now()
	c.mu.Unlock()
	switch {
	case status == before.Status && (status == OK || detail == before.Detail), first && status == OK:
	case status == OK:
		h.log.InfoContext(ctx, "check recovered", "check", c.Name)
	default:
		h.log.WarnContext(ctx, "check failed", "check", c.Name, "status", string(status), "detail", detail)
	}
}

// latest returns what the check found last; a check that hangs is Down.
func (c *checked) latest(maxAge time.Duration) CheckResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.at.IsZero():
		return CheckResult{Name: c.Name, Status: Down, Detail: "not checked yet"}
	case time.Since(c.at) > maxAge:
		return CheckResult{Name: c.Name, Status: Down, Detail: "the check does not return"}
	}
	return c.result
}

// Drain makes the process not ready from now on.
func (h *Health) Drain() { h.draining.Store(true) }

// Up reports whether the named check was not Down when it was made last; an
// unknown name is not up.
func (h *Health) Up(name string) bool {
	for _, c := range h.checks {
		if c.Name == name {
			return c.latest(h.maxAge()).Status != Down
		}
	}
	return false
}

// Ready returns how the process is, and the checks it was told from. Down is
// for a process that drains or has a Critical check that is Down: it must get
// no requests.
func (h *Health) Ready() (Status, []CheckResult) {
	all := OK
	results := make([]CheckResult, 0, len(h.checks)+1)
	if h.draining.Load() {
		all = Down
		results = append(results, CheckResult{Name: "process", Status: Down, Detail: "draining"})
	}
	for _, c := range h.checks {
		result := c.latest(h.maxAge())
		results = append(results, result)
		counts := result.Status
		if !c.Critical && counts == Down {
			counts = Degraded
		}
		all = all.worse(counts)
	}
	return all, results
}

// maxAge is how old a result can be unless its check hangs.
func (h *Health) maxAge() time.Duration { return 2 * (h.interval + h.timeout) }
