package dbop

// Op names a database operation, as in the kind "db." + Op.
type Op string

const (
	SelectOne  Op = "select_one"
	SelectMany Op = "select_many"
	InsertOne  Op = "insert_one"
	InsertMany Op = "insert_many"
	UpdateOne  Op = "update_one"
	UpdateMany Op = "update_many"
	DeleteOne  Op = "delete_one"
	DeleteMany Op = "delete_many"
	Query      Op = "query" // a named statement
)

// Ops lists every operation.
func Ops() []Op {
	return []Op{SelectOne, SelectMany, InsertOne, InsertMany, UpdateOne, UpdateMany, DeleteOne, DeleteMany, Query}
}

// Writes reports whether the operation can change rows. Whether a Query does
// depends on its statement: Operation.Writes tells.
func (o Op) Writes() bool { return o != SelectOne && o != SelectMany }

// Bounds of operations.
const (
	DefaultLimit = 100
	MaxLimit     = 10_000
	MaxRows      = 10_000 // of one insert_many
	MaxIn        = 10_000 // values of one $in or $nin
)

// Operation is one operation on one table, or a named statement. Which fields
// matter depends on Op; the others are zero.
type Operation struct {
	Op         Op
	Table      string
	Columns    []string // of a select; empty means all that are allowed
	Where      Cond     // nil matches every row; never nil on update and delete
	OrderBy    []Order
	Limit      int // of select_many
	Offset     int
	Rows       [][]Assignment // of an insert: one row, or many with any columns each
	Set        []Assignment   // of an update
	Returning  []string       // of insert_one: ["*"] or columns; empty for none
	OnConflict *OnConflict    // of an insert; nil fails on a conflict
	Require    bool           // update_one, delete_one: no match is an error
	// MaxAffected bounds update_many and delete_many; zero means the target's.
	MaxAffected int
	ChunkSize   int // rows per statement of insert_many; zero lets the dialect choose

	// Of a Query, beside Limit and MaxAffected; the latter's zero means no bound.

	Query string     // its name
	Args  []Argument // for all of its parameters, in their order
	Write bool       // it changes rows
}

// Writes reports whether the operation changes rows.
func (o Operation) Writes() bool {
	if o.Op == Query {
		return o.Write
	}
	return o.Op.Writes()
}

// Order is one column to sort by.
type Order struct {
	Column     string
	Descending bool
}

// ConflictAction is what an insert does with a row that is there already.
type ConflictAction string

const (
	ConflictIgnore ConflictAction = "ignore"
	ConflictUpdate ConflictAction = "update"
)

// OnConflict says what to do when a unique constraint over Columns objects; with
// ConflictIgnore and no Columns, when any does.
type OnConflict struct {
	Columns []string
	Action  ConflictAction
	Update  []string // columns taken from the new row; with ConflictUpdate
}
