package store

import (
	"context"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

// catalogAge is how long a table's description is believed without a look.
const catalogAge = time.Minute

// catalog remembers tables' descriptions. An error that speaks of unknown
// tables or columns makes it forget.
type catalog struct {
	dialect dialect
	db      querier

	mu     sync.Mutex
	tables map[string]described // guarded by mu
}

type described struct {
	table *table
	at    time.Time
}

func newCatalog(d dialect, db querier) *catalog {
	return &catalog{dialect: d, db: db, tables: map[string]described{}}
}

// table describes a table that the registry knows. One that the database does
// not know fails with unknown_table.
func (c *catalog) table(ctx context.Context, full string) (*table, error) {
	c.mu.Lock()
	known, ok := c.tables[full]
	c.mu.Unlock()
	if ok && time.Since(known.at) < catalogAge {
		return known.table, nil
	}
	schema, name := splitTable(full)
	t, err := c.dialect.describe(ctx, c.db, schema, name)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, job.Permanent(job.CodeUnknownTable, "the database has no table %q", full)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tables[full] = described{t, time.Now()}
	return t, nil
}

// last is what was known last, however old it is; only what is not known is
// asked for.
func (c *catalog) last(ctx context.Context, full string) (*table, error) {
	c.mu.Lock()
	known, ok := c.tables[full]
	c.mu.Unlock()
	if ok {
		return known.table, nil
	}
	return c.table(ctx, full)
}

// known returns what is known of a table, nil if nothing is.
func (c *catalog) known(full string) *table {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tables[full].table
}

// forget drops what is known of tables.
func (c *catalog) forget(tables ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, full := range tables {
		delete(c.tables, full)
	}
}
