package dbop

// Cond is a predicate over one row: one of And, Or, Not, Compare, In, IsNull.
type Cond interface{ cond() }

// CompareOp is a comparison of a column with one value.
type CompareOp string

const (
	Eq   CompareOp = "$eq"
	Ne   CompareOp = "$ne"
	Gt   CompareOp = "$gt"
	Gte  CompareOp = "$gte"
	Lt   CompareOp = "$lt"
	Lte  CompareOp = "$lte"
	Like CompareOp = "$like" // SQL's pattern: % and _, escaped by \
)

type (
	// And holds when every part does; with no part it holds.
	And []Cond
	// Or holds when some part does; with no part it does not.
	Or []Cond
	// Not holds when its part is false. Where a column of it is null the part is
	// neither true nor false, as in SQL, and Not does not hold.
	Not struct{ Cond Cond }
	// Compare compares a column with a value that is not null.
	Compare struct {
		Column string
		Op     CompareOp
		Value  Value
	}
	// In holds when the column equals one of the values (Negated: when it is not
	// null and equals none).
	In struct {
		Column  string
		Negated bool
		Values  []Value
	}
	// IsNull holds when the column is null (Negated: is not).
	IsNull struct {
		Column  string
		Negated bool
	}
)

func (And) cond()     {}
func (Or) cond()      {}
func (Not) cond()     {}
func (Compare) cond() {}
func (In) cond()      {}
func (IsNull) cond()  {}
