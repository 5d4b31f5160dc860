package tasks

import (
	"encoding/json"

	"github.com/asyncops/asyncops/dbop"
)

// SelectOneArgs are the args of db.select_one.
type SelectOneArgs struct {
	Database string          `json:"database,omitempty"` // "" is the only one configured
	Table    string          `json:"table"`
	Columns  []string        `json:"columns,omitempty"` // empty means all that are allowed
	Where    json.RawMessage `json:"where,omitempty"`   // absent matches every row
	OrderBy  []string        `json:"order_by,omitempty"`
	Cache    *CacheArgs      `json:"cache,omitempty"`
}

// SelectOneResult is the result of db.select_one.
type SelectOneResult struct {
	Row    json.RawMessage `json:"row"` // an object, or null when nothing matches
	Cached bool            `json:"cached"`
}

func (a SelectOneArgs) task(c *checker) Task {
	task := c.database(a.Database, dbop.Operation{
		Op:      dbop.SelectOne,
		Table:   a.Table,
		Columns: c.Columns(a.Columns, "/args/columns"),
		Where:   c.Where(a.Where, "/args/where"),
		OrderBy: c.OrderBy(a.OrderBy, "/args/order_by"),
	})
	task.Cache = c.cache(a.Cache)
	return task
}
