package tasks

import (
	"encoding/json"

	"github.com/asyncops/asyncops/dbop"
)

// UpdateManyArgs are the args of db.update_many.
type UpdateManyArgs struct {
	Database    string          `json:"database,omitempty"` // "" is the only one configured
	Table       string          `json:"table"`
	Where       json.RawMessage `json:"where"`
	Values      json.RawMessage `json:"values"`
	MaxAffected *int            `json:"max_affected,omitempty"` // nil means the database's
}

// UpdateManyResult is the result of db.update_many.
type UpdateManyResult struct {
	RowsAffected int64 `json:"rows_affected"`
}

func (a UpdateManyArgs) task(c *checker) Task {
	return c.database(a.Database, dbop.Operation{
		Op:          dbop.UpdateMany,
		Table:       a.Table,
		Where:       c.excluding(a.Where),
		Set:         c.Update(a.Values, "/args/values"),
		MaxAffected: c.number(a.MaxAffected, "/args/max_affected", 1, MaxAffected, 0),
	})
}
