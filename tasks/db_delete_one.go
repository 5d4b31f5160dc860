package tasks

import (
	"encoding/json"

	"github.com/asyncops/asyncops/dbop"
)

// DeleteOneArgs are the args of db.delete_one.
type DeleteOneArgs struct {
	Database string          `json:"database,omitempty"` // "" is the only one configured
	Table    string          `json:"table"`
	Where    json.RawMessage `json:"where"`
	Require  bool            `json:"require,omitempty"` // no match archives the job
}

// DeleteOneResult is the result of db.delete_one.
type DeleteOneResult struct {
	RowsAffected int64 `json:"rows_affected"` // 0 or 1
}

func (a DeleteOneArgs) task(c *checker) Task {
	return c.database(a.Database, dbop.Operation{
		Op:      dbop.DeleteOne,
		Table:   a.Table,
		Where:   c.excluding(a.Where),
		Require: a.Require,
	})
}
