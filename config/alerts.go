package config

import "time"

// Alerts is what is watched, and who is told.
type Alerts struct {
	Notify []Notify `yaml:"notify"`
	Rules  Rules    `yaml:"rules"`
}

// Notify is one place that is told when an alert fires or resolves.
type Notify struct {
	Client string `yaml:"client" required:"hooks"`
	Path   string `yaml:"path" required:"/alerts"`
}

// Rules are the alert rules; nil is off. Rules that are given replace all of
// the defaults.
type Rules struct {
	ErrorRate   *RatioRule    `yaml:"error_rate"`   // failed runs of all runs
	P95Latency  *DurationRule `yaml:"p95_latency"`  // of runs
	QueueAge    *DurationRule `yaml:"queue_age"`    // of a queue's oldest due job
	PoolUsage   *RatioRule    `yaml:"pool_usage"`   // of a database's connections
	TargetDown  *HoldRule     `yaml:"target_down"`  // a database or client fails its health check
	BreakerOpen *HoldRule     `yaml:"breaker_open"` // a client's circuit breaker
	DeadLetters *CountRule    `yaml:"dead_letters"` // jobs archived within the window
	WorkerGone  *HoldRule     `yaml:"worker_gone"`  // a worker's lease ended without a goodbye
	Memory      *RatioRule    `yaml:"memory"`       // of a process's memory limit
}

func (r *Rules) setDefaults(string) {
	*r = Rules{
		ErrorRate: new(RatioRule), P95Latency: new(DurationRule), QueueAge: new(DurationRule), PoolUsage: new(RatioRule), TargetDown: new(HoldRule),
		BreakerOpen: new(HoldRule), DeadLetters: new(CountRule), WorkerGone: new(HoldRule), Memory: new(RatioRule),
	}
	r.ErrorRate.setDefaults("error_rate")
	r.P95Latency.setDefaults("p95_latency")
	r.QueueAge.setDefaults("queue_age")
	r.PoolUsage.setDefaults("pool_usage")
	r.TargetDown.setDefaults("target_down")
	r.BreakerOpen.setDefaults("breaker_open")
	r.DeadLetters.setDefaults("dead_letters")
	r.WorkerGone.setDefaults("worker_gone")
	r.Memory.setDefaults("memory")
}

// RatioRule fires when a fraction has been above a bound for a while.
type RatioRule struct {
	Above float64  `yaml:"above" range:"0..1"`
	For   Duration `yaml:"for" range:"0s..24h"`
}

func (r *RatioRule) setDefaults(name string) {
	*r = RatioRule{Above: 0.9, For: Duration(time.Minute)}
	if name == "error_rate" {
		*r = RatioRule{Above: 0.05, For: Duration(5 * time.Minute)}
	}
}

// DurationRule fires when a length of time has been above a bound for a while.
type DurationRule struct {
	Above Duration `yaml:"above" range:"0s.."`
	For   Duration `yaml:"for" range:"0s..24h"`
}

func (r *DurationRule) setDefaults(name string) {
	*r = DurationRule{Above: Duration(5 * time.Second), For: Duration(5 * time.Minute)}
	if name == "queue_age" {
		*r = DurationRule{Above: Duration(time.Minute), For: Duration(time.Minute)}
	}
}

// CountRule fires when a number has been above a bound for a while.
type CountRule struct {
	Above int      `yaml:"above" range:"0..1000000000"`
	For   Duration `yaml:"for" range:"0s..24h"`
}

func (r *CountRule) setDefaults(string) {
	*r = CountRule{Above: 10, For: Duration(5 * time.Minute)}
}

// HoldRule fires when a state has lasted for a while.
type HoldRule struct {
	For Duration `yaml:"for" range:"0s..24h"`
}

func (r *HoldRule) setDefaults(name string) {
	r.For = Duration(30 * time.Second)
	if name == "breaker_open" {
		r.For = Duration(time.Minute)
	}
}
