package store

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/mysqlconn"
	"github.com/asyncops/asyncops/internal/pgconn"
)

// Driver names the kind of a target's server.
type Driver string

const (
	Postgres Driver = "postgres"
	MySQL    Driver = "mysql" // and MariaDB
	SQLite   Driver = "sqlite"
)

// Effects says what a target does about the record that makes its effects
// exactly once.
type Effects string

const (
	EffectsAuto     Effects = "auto"     // made if allowed, else writes are at least once; the default
	EffectsRequired Effects = "required" // without it writes fail with effects_missing
	EffectsOff      Effects = "off"      // never
)

// AllTables is the key of Config.Tables that stands for every table of the
// schema, to be read only.
const AllTables = "*"

// Table says what jobs may do with one table.
type Table struct {
	Columns []string // that jobs may name; empty means all
	Write   bool
}

// Query is a named statement.
type Query struct {
	SQL    string       // one statement, with ? or $n placeholders
	Params []dbop.Param // one for each placeholder, in order
	Write  bool         // it changes rows
	Writes []string     // tables that it changes; none, with Write, means that nobody knows
}

// Retry is how often a transient error (deadlock, serialization failure, lost
// connection, busy file) is tried again inside one run.
type Retry struct {
	Attempts int           // in all; default 3
	Delay    time.Duration // before the second, doubled after each, with jitter; default 100ms
}

// Config is one target. Zero values of numbers and durations mean the
// defaults that are named.
type Config struct {
	Name     string
	Driver   Driver
	Postgres pgconn.Config    // where the server is; Open sets its pool and limits itself
	MySQL    mysqlconn.Config // the same for MariaDB and MySQL
	Path     string           // of an SQLite file, or ":memory:"

	PoolSize         int           // connections kept open; default 20
	MaxOverflow      int           // more of them under load; default none
	PoolTimeout      time.Duration // wait for a connection at most; default 30s
	MaxLifetime      time.Duration // of a connection, or Never; default 30m
	MaxIdleTime      time.Duration // of an unused connection, or Never; default 5m
	StatementTimeout time.Duration // of one statement; default 30s
	SlowQuery        time.Duration // operations that take longer are logged, without values; Never for none; default 1s
	Retry            Retry
	Effects          Effects
	MaxAffected      int // bound of update_many and delete_many; default 1000
	Tables           map[string]Table
	Queries          map[string]Query // named statements
}

func (c Config) withDefaults() Config {
	setDefault(&c.PoolSize, 20)
	setDefault(&c.PoolTimeout, 30*time.Second)
	setDefault(&c.MaxLifetime, 30*time.Minute)
	setDefault(&c.MaxIdleTime, 5*time.Minute)
	setDefault(&c.StatementTimeout, 30*time.Second)
	setDefault(&c.SlowQuery, time.Second)
	setDefault(&c.Retry.Attempts, 3)
	setDefault(&c.Retry.Delay, 100*time.Millisecond)
	setDefault(&c.Effects, EffectsAuto)
	setDefault(&c.MaxAffected, 1000)
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports everything that is wrong with the settings, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("database %q: "+format, append([]any{c.Name}, args...)...))
	}
	if c.Name == "" {
		errs = append(errs, errors.New("a database needs a name"))
	}
	switch c.Driver {
	case Postgres:
		if err := c.Postgres.Validate(); err != nil {
			errs = append(errs, err)
		}
	case MySQL:
		if err := c.MySQL.Validate(); err != nil {
			errs = append(errs, err)
		}
	case SQLite:
		if c.Path == "" {
			bad("path must name a file or be :memory:")
		}
	default:
		bad("driver %q must be postgres, mysql or sqlite", c.Driver)
	}
	switch c.Effects {
	case "", EffectsAuto, EffectsRequired, EffectsOff:
	default:
		bad("effects %q must be auto, required or off", c.Effects)
	}
	for name, d := range map[string]time.Duration{"max_lifetime": c.MaxLifetime, "max_idle_time": c.MaxIdleTime, "slow_query": c.SlowQuery} {
		if d < 0 && d != Never {
			bad("%s must not be negative", name)
		}
	}
	for name, n := range map[string]int64{
		"pool_size": int64(c.PoolSize), "max_overflow": int64(c.MaxOverflow), "pool_timeout": int64(c.PoolTimeout),
		"statement_timeout": int64(c.StatementTimeout), "retry.attempts": int64(c.Retry.Attempts), "retry.delay": int64(c.Retry.Delay),
		"max_affected": int64(c.MaxAffected),
	} {
		if n < 0 {
			bad("%s must not be negative", name)
		}
	}
	for name, query := range c.Queries {
		if _, err := query.read(c.Driver); err != nil {
			bad("queries: %s %w", name, err)
		}
	}
	for name, table := range c.Tables {
		switch {
		case name == "":
			bad("tables: a table needs a name")
		case reserved(name), c.Driver == MySQL && mysqlOwn(name):
			bad("tables: %s belongs to asyncops or to the database itself", name)
		case name == AllTables && (table.Write || len(table.Columns) > 0):
			bad(`tables: "*" allows reading only; list the tables that jobs may write`)
		}
	}
	return errors.Join(errs...)
}

// reserved reports whether a table is one of ours or the database's own.
func reserved(table string) bool {
	_, name := splitTable(strings.ToLower(table))
	return strings.HasPrefix(name, "asyncops_") || strings.HasPrefix(name, "sqlite_") || strings.HasPrefix(name, "pg_") ||
		strings.HasPrefix(strings.ToLower(table), "information_schema.")
}

// splitTable separates the schema that a table's name may begin with.
func splitTable(table string) (schema, name string) {
	if schema, name, ok := strings.Cut(table, "."); ok {
		return schema, name
	}
	return "", table
}
