package tasks

import (
	"encoding/json"

	"github.com/asyncops/asyncops/dbop"
)

// InsertManyArgs are the args of db.insert_many.
type InsertManyArgs struct {
	Database   string          `json:"database,omitempty"` // "" is the only one configured
	Table      string          `json:"table"`
	Rows       json.RawMessage `json:"rows"`
	OnConflict *OnConflictArgs `json:"on_conflict,omitempty"`
	ChunkSize  *int            `json:"chunk_size,omitempty"` // rows per statement; nil lets the database's dialect choose
}

// InsertManyResult is the result of db.insert_many.
type InsertManyResult struct {
	RowsAffected int64 `json:"rows_affected"`
}

func (a InsertManyArgs) task(c *checker) Task {
	op := dbop.Operation{
		Op:        dbop.InsertMany,
		Table:     a.Table,
		Rows:      c.Rows(a.Rows, "/args/rows"),
		ChunkSize: c.number(a.ChunkSize, "/args/chunk_size", 1, dbop.MaxRows, 0),
	}
	op.OnConflict = c.onConflict(a.OnConflict, op.Rows)
	return c.database(a.Database, op)
}
