package config

import "time"

// Ledger is the SQL database that remembers the jobs.
type Ledger struct {
	DSN       DSN      `yaml:"dsn" required:"postgres://asyncops@localhost/asyncops"` // PostgreSQL or an SQLite file
	PoolSize  int      `yaml:"pool_size" range:"1..1000"`                             // connections of each process
	Retention Duration `yaml:"retention" range:"1m.."`                                // how long ended jobs are kept
}

func (l *Ledger) setDefaults(string) {
	*l = Ledger{
		DSN: DSN{
			Driver: DriverPostgres, Network: "tcp", Address: "localhost:5432",
			User: "asyncops", Database: "asyncops", SSLMode: SSLDisable,
		},
		PoolSize:  20,
		Retention: Duration(168 * time.Hour),
	}
}

// Redis is what moves the jobs.
type Redis struct {
	URL RedisURL `yaml:"url" required:"redis://localhost:6379/0"`
}

func (r *Redis) setDefaults(string) {
	r.URL = RedisURL{Mode: RedisStandalone, Addrs: []string{"localhost:6379"}}
}

// Cache keeps query results and responses that jobs ask to cache.
type Cache struct {
	Enabled  bool     `yaml:"enabled"`
	Shared   bool     `yaml:"shared"`                          // values may be put into Redis
	RedisURL RedisURL `yaml:"redis_url"`                       // zero: the one that moves the jobs
	MaxBytes Size     `yaml:"max_bytes" range:"1MiB..1024GiB"` // in each process
}

func (c *Cache) setDefaults(string) { *c = Cache{Enabled: true, Shared: true, MaxBytes: 256 * MiB} }
