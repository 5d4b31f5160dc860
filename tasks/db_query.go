package tasks

import (
	"encoding/json"

	"github.com/asyncops/asyncops/dbop"
)

// QueryArgs are the args of db.query.
type QueryArgs struct {
	Database    string          `json:"database,omitempty"` // "" is the only one configured
	Name        string          `json:"name"`               // of a configured statement
	Params      json.RawMessage `json:"params,omitempty"`   // an object with a value for every parameter; absent for none
	Limit       *int            `json:"limit,omitempty"`    // rows of a statement that reads; nil means all, which must be no more than dbop.MaxLimit
	MaxAffected *int            `json:"max_affected,omitempty"`
	Cache       *CacheArgs      `json:"cache,omitempty"` // of a statement that reads
}

// QueryResult is the result of db.query. A statement that reads has rows, count
// and cached; one that writes has rows_affected, and rows if it returns some.
type QueryResult struct {
	Rows         *[]json.RawMessage `json:"rows,omitempty"` // objects
	Count        *int64             `json:"count,omitempty"`
	Cached       *bool              `json:"cached,omitempty"`
	RowsAffected *int64             `json:"rows_affected,omitempty"`
}

func (a QueryArgs) task(c *checker) Task {
	op := dbop.Operation{Op: dbop.Query, Query: a.Name}
	op.Limit = c.number(a.Limit, "/args/limit", 1, dbop.MaxLimit, 0)
	op.MaxAffected = c.number(a.MaxAffected, "/args/max_affected", 1, MaxAffected, 0)
	task := &DB{Operation: op, Cache: c.cache(a.Cache)}
	if a.Name == "" {
		c.Fail("/args/name", CodeRequired, "the name of a configured query is missing")
	}
	target, ok := c.targets.Database(a.Database)
	if !ok {
		c.unknownTarget("database", CodeUnknownDatabase, a.Database)
		return task
	}
	task.Database = target.Name
	query, ok := target.Registry.Query(a.Name)
	if !ok {
		if a.Name != "" {
			c.add(target.Registry.Check(op))
		}
		return task
	}
	task.Operation.Write = query.Write
	before := len(c.Errors())
	task.Operation.Args = c.Arguments(a.Params, query, "/args/params")
	switch {
	case query.Write && a.Limit != nil:
		c.Fail("/args/limit", dbop.CodeNotAllowed, "query %s changes rows; limit goes with those that read", a.Name)
	case query.Write && a.Cache != nil:
		c.Fail("/args/cache", dbop.CodeNotAllowed, "query %s changes rows; cache goes with those that read", a.Name)
	case !query.Write && a.MaxAffected != nil:
		c.Fail("/args/max_affected", dbop.CodeNotAllowed, "query %s changes nothing; max_affected goes with those that write", a.Name)
	case len(c.Errors()) == before:
		c.add(target.Registry.Check(task.Operation))
	}
	return task
}
