package dbop

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
	"github.com/go-json-experiment/json/jsontext"
)

// More bounds of operations, of what is read from job args.
const (
	MaxConditions  = 1000     // comparisons of one where
	MaxWhereValues = 30_000   // values of one where, those of $in and $nin included
	MaxWhereText   = 64 << 10 // bytes of one value of a where; values to be written have no bound of their own
	MaxNameLength  = 64       // characters of a table's or column's name
	MaxColumns     = 1000     // of one list of columns
	MaxErrors      = 20       // faults that a Parser lists before it stops
)

// Codes of job.FieldError for operations, besides those of strictjson.
const (
	CodeRequired        = "required"
	CodeUnknownOperator = "unknown_operator" // an object begins with $ and is no operator that may stand there
	CodeEmptyWhere      = "empty_where"      // an update or delete whose where cannot exclude anything
	CodeInvalidName     = "invalid_name"     // cannot be the name of a table or column
	CodeDuplicateColumn = "duplicate_column"
	CodeNotAllowed      = "not_allowed" // does not go with another field
	CodeTooMany         = "too_many"
	CodeTooLong         = "too_long"
)

// Ref is one mention of a column in a where. An Operation does not keep where
// in the where a column stands; who refuses a column needs it.
type Ref struct {
	Column  string
	Pointer string // JSON pointer to the mention
}

// Parser reads the parts of an operation out of JSON and keeps what it meets:
// the columns of wheres, and everything that is wrong. Its methods
// read what is right and go on past what is not, so that a caller looks at
// Errors once, at the end. All text must have passed strictjson.Check. The
// pointers in what it keeps begin with those that its methods are given.
//
// The zero value is ready for use, for one operation and one goroutine.
type Parser struct {
	refs       []Ref
	errs       []job.FieldError
	conditions int
	values     int
	steps      []string // names of a transaction's; nil outside of one
	step       int      // the one that is read
}

// Refs returns every mention of a column in what Where has read, in order.
func (p *Parser) Refs() []Ref { return p.refs }

// Errors returns what was wrong, at most MaxErrors of it.
func (p *Parser) Errors() []job.FieldError { return p.errs }

// Fail adds a fault.
func (p *Parser) Fail(pointer, code, format string, args ...any) {
	if len(p.errs) < MaxErrors {
		p.errs = append(p.errs, job.FieldError{Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...)})
	}
}

// wrongType adds that a value has another JSON type than is wanted.
func (p *Parser) wrongType(pointer, want string, got jsontext.Value) {
	p.Fail(pointer, strictjson.CodeWrongType, "want %s, got %s", want, strictjson.KindName(got.Kind()))
}

// Table looks at the form of a table's name, which may have a schema's in front
// ("app.users"), and reports whether a table can be called that.
func (p *Parser) Table(name, pointer string) bool {
	if schema, table, ok := strings.Cut(name, "."); ok && ValidName(schema) {
		name = table
	}
	return p.name(name, pointer)
}

// Column looks at the form of a column's name and reports whether a column can
// be called that.
func (p *Parser) Column(name, pointer string) bool { return p.name(name, pointer) }

func (p *Parser) name(name, pointer string) bool {
	switch {
	case name == "":
		p.Fail(pointer, CodeRequired, "the name is missing")
		return false
	case !ValidName(name):
		p.Fail(pointer, CodeInvalidName, "not a name; want up to %d letters, digits, _, $ and -, beginning with a letter or _", MaxNameLength)
		return false
	}
	return true
}

// Columns takes a list of columns, each at most once.
func (p *Parser) Columns(names []string, pointer string) []string {
	if len(names) > MaxColumns {
		p.Fail(pointer, CodeTooMany, "%d columns; want at most %d", len(names), MaxColumns)
		return nil
	}
	seen := make(map[string]bool, len(names))
	for i, name := range names {
		at := element(pointer, i)
		if p.Column(name, at) && seen[name] {
			p.Fail(at, CodeDuplicateColumn, "the column %s is listed twice", name)
		}
		seen[name] = true
	}
	return names
}

// OrderBy reads the columns to sort by, each descending after a minus.
func (p *Parser) OrderBy(terms []string, pointer string) []Order {
	var order []Order
	for _, term := range terms {
		name, descending := strings.CutPrefix(term, "-")
		order = append(order, Order{Column: name, Descending: descending})
	}
	names := make([]string, len(order))
	for i := range order {
		names[i] = order[i].Column
	}
	p.Columns(names, pointer)
	return order
}

// ValidName reports whether a table or column can have the name: up to
// MaxNameLength letters, digits, _, $ and -, beginning with a letter or _.
// Whether there is such a table or column is another question.
func ValidName(name string) bool {
	length := 0
	for _, r := range name {
		length++
		switch {
		case unicode.IsLetter(r), r == '_':
		case length > 1 && (unicode.IsDigit(r) || unicode.IsMark(r) || r == '$' || r == '-'):
		default:
			return false
		}
	}
	return 0 < length && length <= MaxNameLength
}

// ParseWhere reads a where that stands at pointer, as Parser.Where does. raw
// may be anything; nothing of a where with a fault is returned.
func ParseWhere(raw json.RawMessage, pointer string) (Cond, []job.FieldError) {
	var p Parser
	cond := checked(&p, raw, pointer, p.Where)
	if len(p.errs) > 0 {
		return nil, p.errs
	}
	return cond, nil
}

// ParseValue reads a literal that stands at pointer, as in values to insert.
// raw may be anything.
func ParseValue(raw json.RawMessage, pointer string) (Value, []job.FieldError) {
	var p Parser
	value := checked(&p, raw, pointer, func(raw json.RawMessage, pointer string) Value {
		v, _ := p.value(jsontext.Value(raw), pointer)
		return v
	})
	if len(p.errs) > 0 {
		return Value{}, p.errs
	}
	return value, nil
}

// checked calls read if raw is absent or JSON that asyncops takes.
func checked[T any](p *Parser, raw json.RawMessage, pointer string, read func(json.RawMessage, string) T) (zero T) {
	if len(raw) > 0 {
		var exact jsontext.Value
		if err := strictjson.DecodeAt(pointer, raw, &exact); err != nil {
			p.take(err)
			return zero
		}
		raw = json.RawMessage(exact)
	}
	return read(raw, pointer)
}

// element is the pointer to an array's element.
func element(pointer string, i int) string { return fmt.Sprintf("%s/%d", pointer, i) }

// member is the pointer to an object's member.
func member(pointer, name string) string {
	return string(jsontext.Pointer(pointer).AppendToken(name))
}

// take adds the faults of an error of strictjson.
func (p *Parser) take(err error) {
	var invalid *job.InvalidError
	if errors.As(err, &invalid) {
		p.errs = append(p.errs, invalid.Fields...)
	}
}
