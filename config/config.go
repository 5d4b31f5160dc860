package config

import (
	"reflect"
)

// DefaultQueue is the queue that always exists.
const DefaultQueue = "default"

// Config is the whole configuration, in the shape of its file.
type Config struct {
	API           API                 `yaml:"api"`           // the REST server
	Dashboard     Dashboard           `yaml:"dashboard"`     // the pages beside it
	Ledger        Ledger              `yaml:"ledger"`        // where jobs are remembered
	Redis         Redis               `yaml:"redis"`         // what moves them
	Cache         Cache               `yaml:"cache"`         // of query results and responses
	Databases     map[string]Database `yaml:"databases"`     // targets of db.* jobs, by name
	Clients       map[string]Client   `yaml:"clients"`       // targets of http.* and ws.* jobs, by name
	Queues        map[string]Queue    `yaml:"queues"`        // by name; DefaultQueue is always there
	Worker        Worker              `yaml:"worker"`        // each worker process
	Health        Health              `yaml:"health"`        // the periodic look at all targets
	Schedules     []Schedule          `yaml:"schedules"`     // periodic jobs owned by the file
	Alerts        Alerts              `yaml:"alerts"`        // rules, and who is told
	Observability Observability       `yaml:"observability"` // metrics, logs, traces
}

// Default returns the configuration of an empty file: no databases, clients,
// keys or schedules. The caller owns it.
func Default() *Config {
	cfg := new(Config)
	fillDefaults(reflect.ValueOf(cfg).Elem(), "")
	cfg.Queues = map[string]Queue{"critical": {Weight: 6}, DefaultQueue: {Weight: 3}, "low": {Weight: 1}}
	return cfg
}

// DefaultClient returns the settings of a client of which none is made.
func DefaultClient() Client {
	var client Client
	fillDefaults(reflect.ValueOf(&client).Elem(), "")
	return client
}

// complete adds what is there whatever was given: the default queue, and the
// defaults that depend on other settings.
func (c *Config) complete() {
	if _, ok := c.Queues[DefaultQueue]; !ok {
		if c.Queues == nil {
			c.Queues = map[string]Queue{}
		}
		var queue Queue
		queue.setDefaults(DefaultQueue)
		c.Queues[DefaultQueue] = queue
	}
	for name, client := range c.Clients {
		client.Auth.complete()
		c.Clients[name] = client
	}
}

// defaulter is a section with defaults of its own. name is the key under which
// it stands in its map, and empty elsewhere.
type defaulter interface{ setDefaults(name string) }

// fillDefaults gives every section within v its defaults, the outer ones last
// so that they may differ from what the inner ones say.
func fillDefaults(v reflect.Value, name string) {
	if v.Kind() != reflect.Struct || isScalar(v.Type()) {
		return
	}
	for i := range v.NumField() {
		fillDefaults(v.Field(i), "")
	}
	if d, ok := v.Addr().Interface().(defaulter); ok {
		d.setDefaults(name)
	}
}

// NewDatabase returns a database with the defaults of every entry of
// databases; it still needs a DSN.
func NewDatabase() Database { return newEntry[Database]() }

// NewClient returns a client with the defaults of every entry of clients; it
// still needs a base URL.
func NewClient() Client { return newEntry[Client]() }

func newEntry[T any]() T {
	var entry T
	fillDefaults(reflect.ValueOf(&entry).Elem(), "")
	return entry
}
