package config

import "time"

// What a target does about the table that makes effects happen exactly once.
const (
	EffectsAuto     = "auto"     // created if allowed, else the target runs at least once and warns
	EffectsRequired = "required" // without it submissions are refused
	EffectsOff      = "off"      // not used: at least once
)

// AllTables is the key that allows every table of a database, read-only.
const AllTables = "*"

// Database is one target of db.* jobs.
type Database struct {
	DSN              DSN              `yaml:"dsn" required:"postgres://app@localhost/app"`
	PoolSize         int              `yaml:"pool_size" range:"1..10000"`         // connections kept open
	MaxOverflow      int              `yaml:"max_overflow" range:"0..10000"`      // connections more under load
	PoolTimeout      Duration         `yaml:"pool_timeout" range:"1ms..1h"`       // waiting longer for a connection fails the attempt
	MaxLifetime      Duration         `yaml:"max_lifetime" range:"0s.."`          // of a connection; 0 is for ever
	MaxIdleTime      Duration         `yaml:"max_idle_time" range:"0s.."`         // of a connection; 0 is for ever
	StatementTimeout Duration         `yaml:"statement_timeout" range:"1ms..24h"` // of one statement
	SlowQuery        Duration         `yaml:"slow_query" range:"0s.."`            // slower statements are counted and logged; 0 is none
	Retry            Retry            `yaml:"retry"`                              // of transient errors inside one attempt
	Cache            QueryCache       `yaml:"cache"`                              // defaults of reads that ask for the cache
	Effects          string           `yaml:"effects" oneof:"auto|required|off"`  // EffectsAuto, EffectsRequired or EffectsOff
	MaxAffected      int              `yaml:"max_affected" range:"1..1000000000"` // default bound of update_many and delete_many, in rows
	Tables           map[string]Table `yaml:"tables"`                             // what jobs may touch, by name; AllTables is any, read-only
	Queries          map[string]Query `yaml:"queries"`                            // named statements
}

func (d *Database) setDefaults(string) {
	d.PoolSize = 20
	d.MaxOverflow = 30
	d.PoolTimeout = Duration(30 * time.Second)
	d.MaxLifetime = Duration(30 * time.Minute)
	d.MaxIdleTime = Duration(5 * time.Minute)
	d.StatementTimeout = Duration(30 * time.Second)
	d.SlowQuery = Duration(time.Second)
	d.Effects = EffectsAuto
	d.MaxAffected = 1000
}

// Retry is how often something transient is tried before the attempt fails.
type Retry struct {
	Attempts int      `yaml:"attempts" range:"1..100"` // the first one included
	Delay    Duration `yaml:"delay" range:"0s..1m"`    // before the second; it grows from there
}

func (r *Retry) setDefaults(string) {
	*r = Retry{Attempts: 3, Delay: Duration(100 * time.Millisecond)}
}

// QueryCache bounds what the cache keeps of one database.
type QueryCache struct {
	TTL     Duration `yaml:"ttl" range:"1ms..8760h"`
	MaxRows int      `yaml:"max_rows" range:"1..10000"` // results with more rows are not kept
}

func (c *QueryCache) setDefaults(string) { *c = QueryCache{TTL: Duration(time.Hour), MaxRows: 1000} }

// Table is what jobs may do with one table.
type Table struct {
	Columns []string `yaml:"columns"` // empty: all
	Write   bool     `yaml:"write"`   // false: reads only
}

// Query is a named statement.
type Query struct {
	SQL    string       `yaml:"sql" required:"SELECT id FROM users WHERE status = ?"` // one statement, with ? or $n placeholders
	Params []QueryParam `yaml:"params"`                                               // one for each placeholder, in order
	Write  bool         `yaml:"write"`                                                // it changes rows
	Writes []string     `yaml:"writes"`                                               // tables it changes, whose cached reads it invalidates
}

// QueryParam is one parameter of a Query.
type QueryParam struct {
	Name string `yaml:"name" required:"status"`
	Type string `yaml:"type" oneof:"string|integer|number|decimal|boolean|time|bytes|json"`
}

func (p *QueryParam) setDefaults(string) { p.Type = "string" }
