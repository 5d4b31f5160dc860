package tasks

import (
	"encoding/json"

	"github.com/asyncops/asyncops/dbop"
)

// InsertOneArgs are the args of db.insert_one.
type InsertOneArgs struct {
	Database   string          `json:"database,omitempty"` // "" is the only one configured
	Table      string          `json:"table"`
	Values     json.RawMessage `json:"values"`
	Returning  []string        `json:"returning,omitempty"` // ["*"] or columns; empty returns no row
	OnConflict *OnConflictArgs `json:"on_conflict,omitempty"`
}

// OnConflictArgs say what an insert does with rows that are there already.
type OnConflictArgs struct {
	Columns []string `json:"columns"` // of the unique constraint
	Action  string   `json:"action"`  // ignore or update
	Update  []string `json:"update,omitempty"`
}

// InsertOneResult is the result of db.insert_one.
type InsertOneResult struct {
	ID           json.RawMessage `json:"id"` // null when the database made none
	Row          json.RawMessage `json:"row,omitempty"`
	RowsAffected int64           `json:"rows_affected"`
}

func (a InsertOneArgs) task(c *checker) Task {
	op := dbop.Operation{
		Op:    dbop.InsertOne,
		Table: a.Table,
		Rows:  [][]dbop.Assignment{c.Insert(a.Values, "/args/values")},
	}
	op.OnConflict = c.onConflict(a.OnConflict, op.Rows)
	op.Returning = a.Returning
	if len(a.Returning) != 1 || a.Returning[0] != "*" {
		c.Columns(a.Returning, "/args/returning")
	}
	return c.database(a.Database, op)
}

func (c *checker) onConflict(a *OnConflictArgs, rows [][]dbop.Assignment) *dbop.OnConflict {
	if a == nil {
		return nil
	}
	return c.OnConflict(a.Columns, a.Action, a.Update, rows, "/args/on_conflict")
}
