package tasks

import (
	"encoding/json"

	"github.com/asyncops/asyncops/dbop"
)

// UpdateOneArgs are the args of db.update_one.
type UpdateOneArgs struct {
	Database string          `json:"database,omitempty"` // "" is the only one configured
	Table    string          `json:"table"`
	Where    json.RawMessage `json:"where"`
	Values   json.RawMessage `json:"values"`
	Require  bool            `json:"require,omitempty"` // no match archives the job
}

// UpdateOneResult is the result of db.update_one.
type UpdateOneResult struct {
	RowsAffected int64 `json:"rows_affected"` // 0 or 1
}

func (a UpdateOneArgs) task(c *checker) Task {
	return c.database(a.Database, dbop.Operation{
		Op:      dbop.UpdateOne,
		Table:   a.Table,
		Where:   c.excluding(a.Where),
		Set:     c.Update(a.Values, "/args/values"),
		Require: a.Require,
	})
}
