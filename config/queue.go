package config

import "time"

// Queue is one queue of jobs.
type Queue struct {
	Weight      int `yaml:"weight" range:"1..100"`             // its share of the workers' slots
	MaxPending  int `yaml:"max_pending" range:"0..1000000000"` // more are refused; 0 is no bound
	MaxInFlight int `yaml:"max_in_flight" range:"0..1000000"`  // running at once in the fleet; 0 is no bound
}

func (q *Queue) setDefaults(name string) {
	q.Weight = 1
	if name == DefaultQueue {
		q.Weight = 3
	}
}

// Worker is what each worker process does.
type Worker struct {
	Concurrency     int      `yaml:"concurrency" range:"1..10000"` // jobs at once
	Queues          []string `yaml:"queues"`                       // only these; empty: all
	Strict          bool     `yaml:"strict"`                       // queues of more weight first, instead of shares
	ShutdownTimeout Duration `yaml:"shutdown_timeout" range:"0s..24h"`
}

func (w *Worker) setDefaults(string) {
	*w = Worker{Concurrency: 100, ShutdownTimeout: Duration(30 * time.Second)}
}

// Health is the periodic look at every target.
type Health struct {
	Enabled  bool     `yaml:"enabled"`
	Interval Duration `yaml:"interval" range:"1s..24h"`
}

func (h *Health) setDefaults(string) {
	*h = Health{Enabled: true, Interval: Duration(30 * time.Second)}
}

// Observability is what a process tells about itself.
type Observability struct {
	Metrics      bool   `yaml:"metrics"`
	LogLevel     string `yaml:"log_level" oneof:"debug|info|warn|error"`
	LogFormat    string `yaml:"log_format" oneof:"json|text"`
	OTLPEndpoint string `yaml:"otlp_endpoint"` // http or https URL of a collector; empty: no traces
}

func (o *Observability) setDefaults(string) {
	*o = Observability{Metrics: true, LogLevel: "info", LogFormat: "json"}
}
