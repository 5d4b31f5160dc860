package tasks

import (
	"encoding/json"

	"github.com/asyncops/asyncops/dbop"
)

// SelectManyArgs are the args of db.select_many.
type SelectManyArgs struct {
	Database string          `json:"database,omitempty"` // "" is the only one configured
	Table    string          `json:"table"`
	Columns  []string        `json:"columns,omitempty"` // empty means all that are allowed
	Where    json.RawMessage `json:"where,omitempty"`   // absent matches every row
	OrderBy  []string        `json:"order_by,omitempty"`
	Limit    *int            `json:"limit,omitempty"` // nil means dbop.DefaultLimit
	Offset   *int            `json:"offset,omitempty"`
	Cache    *CacheArgs      `json:"cache,omitempty"`
}

// SelectManyResult is the result of db.select_many.
type SelectManyResult struct {
	Rows   []json.RawMessage `json:"rows"`
	Count  int               `json:"count"` // of Rows
	Cached bool              `json:"cached"`
}

func (a SelectManyArgs) task(c *checker) Task {
	task := c.database(a.Database, dbop.Operation{
		Op:      dbop.SelectMany,
		Table:   a.Table,
		Columns: c.Columns(a.Columns, "/args/columns"),
		Where:   c.Where(a.Where, "/args/where"),
		OrderBy: c.OrderBy(a.OrderBy, "/args/order_by"),
		Limit:   c.number(a.Limit, "/args/limit", 1, dbop.MaxLimit, dbop.DefaultLimit),
		Offset:  c.number(a.Offset, "/args/offset", 0, MaxOffset, 0),
	})
	task.Cache = c.cache(a.Cache)
	return task
}
