package dbop

import (
	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/go-json-experiment/json/jsontext"
)

// ValueKind is the type of a Value as it was written in JSON.
type ValueKind int

const (
	Null   ValueKind = iota
	Bool             // Text is "true" or "false"
	Number           // Text is a JSON number, exactly as written
	String           // Text is the string; no NUL
	Bytes            // Text holds the raw bytes, from {"$base64": …}
	JSON             // Text is a JSON object or array, for a JSON column

	// In a transaction only, until Operation.Resolve has replaced them:

	Reference // Text is the path of {"$ref": …} into the result of an earlier step
	Template  // Text is a JSON object or array with {"$ref": …} in places
)

// Value is one literal, or says where one is found. Its text is kept exactly:
// integers of 64 bits and decimals survive.
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

// written names the JSON type that the value was written as: "a string", "null".
func (v Value) written() string {
	switch v.Kind {
	case Null:
		return strictjson.KindName('n')
	case String:
		return strictjson.KindName('"')
	case Bytes:
		return strictjson.KindName('{')
	}
	return strictjson.KindName(jsontext.Value(v.Text).Kind())
}
