package dbop

// ValueKind is the type of a Value as it was written in JSON.
type ValueKind int

const (
	Null   ValueKind = iota
	Bool             // Text is "true" or "false"
	Number           // Text is a JSON number, exactly as written
	String           // Text is the string; no NUL
	Bytes            // Text holds the raw bytes, from {"$base64": …}
	JSON             // Text is a JSON object or array, for a JSON column
)

// Value is one literal. Its text is kept exactly: integers of 64 bits and
// decimals survive.
type Value struct {
	Kind ValueKind
	Text string
}

// AssignOp is how a column gets its value.
type AssignOp int

const (
	Set AssignOp = iota // the literal
	Inc                 // the column's own value plus the literal number
	Now                 // the database's clock
)

// Assignment is what one column becomes.
type Assignment struct {
	Column string
	Op     AssignOp
	Value  Value // of Set and Inc
}
