package tasks

import (
	"encoding/json"

	"github.com/asyncops/asyncops/dbop"
)

// DeleteManyArgs are the args of db.delete_many.
type DeleteManyArgs struct {
	Database    string          `json:"database,omitempty"` // "" is the only one configured
	Table       string          `json:"table"`
	Where       json.RawMessage `json:"where"`
	MaxAffected *int            `json:"max_affected,omitempty"` // nil means the database's
}

// DeleteManyResult is the result of db.delete_many.
type DeleteManyResult struct {
	RowsAffected int64 `json:"rows_affected"`
}

func (a DeleteManyArgs) task(c *checker) Task {
	return c.database(a.Database, dbop.Operation{
		Op:          dbop.DeleteMany,
		Table:       a.Table,
		Where:       c.excluding(a.Where),
		MaxAffected: c.number(a.MaxAffected, "/args/max_affected", 1, MaxAffected, 0),
	})
}
