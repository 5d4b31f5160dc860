package dbop

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/go-json-experiment/json/jsontext"
)

// decimal is a number written as a string, as decimals are.
var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// value reads a literal: a scalar; {"$base64":"…"} for bytes; {"$literal":…}
// for any value as it stands; an array, or an object without a $ in front of a
// name, for a JSON column.
func (p *Parser) value(raw jsontext.Value, pointer string) (Value, bool) {
	s := shapeOf(raw)
	if s.operator == "" {
		return p.plain(raw, pointer)
	}
	switch at := member(pointer, s.operator); {
	case s.members > 1:
		p.Fail(at, CodeUnknownOperator, `an operator stands alone; for an object with such a member write {"$literal":{…}}`)
	case s.operator == "$base64":
		return p.bytes(s.operand, at)
	case s.operator == "$literal":
		return p.literal(s.operand, at)
	case s.operator == refOperator && p.inStep():
		return p.reference(s.operand, at)
	case p.inStep():
		p.unknownOperator(s.operator, at, "$literal", "$base64", refOperator)
	default:
		p.unknownOperator(s.operator, at, "$literal", "$base64")
	}
	return Value{}, false
}

// plain reads a literal that is no operator; in a step there may be references
// inside of it.
func (p *Parser) plain(raw jsontext.Value, pointer string) (Value, bool) {
	value, ok := p.literal(raw, pointer)
	if !ok || value.Kind != JSON || !p.inStep() {
		return value, ok
	}
	found, ok := p.template(raw, pointer)
	if found {
		value.Kind = Template
	}
	return value, ok
}

// literal reads a value as it stands, whatever its members are called.
func (p *Parser) literal(raw jsontext.Value, pointer string) (Value, bool) {
	if strictjson.HasNUL(raw) {
		p.Fail(pointer, strictjson.CodeNUL, `holds the character \u0000, which is not allowed`)
		return Value{}, false
	}
	switch raw.Kind() {
	case 'n':
		return Value{Kind: Null}, true
	case 't', 'f':
		return Value{Kind: Bool, Text: string(raw)}, true
	case '0':
		return Value{Kind: Number, Text: string(raw)}, true
	case '"':
		return Value{Kind: String, Text: unquote(raw)}, true
	}
	return Value{Kind: JSON, Text: string(raw)}, true
}

func (p *Parser) bytes(raw jsontext.Value, pointer string) (Value, bool) {
	if raw.Kind() != '"' {
		p.wrongType(pointer, "a string", raw)
		return Value{}, false
	}
	text := unquote(raw)
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		p.Fail(pointer, strictjson.CodeInvalidValue, "not base64; want the standard alphabet with padding (RFC 4648 §4)")
		return Value{}, false
	}
	return Value{Kind: Bytes, Text: string(data)}, true
}

// Insert reads the values of a new row: an object with at least one column.
// Beside literals a value may be {"$now":true}.
func (p *Parser) Insert(raw json.RawMessage, pointer string) []Assignment {
	return p.assignments(jsontext.Value(raw), pointer, false)
}

// Update reads what columns become: an object with at least one column. Beside
// literals a value may be {"$inc":n} (a number, or a decimal as a string) or
// {"$now":true}.
func (p *Parser) Update(raw json.RawMessage, pointer string) []Assignment {
	return p.assignments(jsontext.Value(raw), pointer, true)
}

// Rows reads the rows of an insert: an array of 1 to MaxRows objects, each
// with any columns.
func (p *Parser) Rows(raw json.RawMessage, pointer string) [][]Assignment {
	switch value := jsontext.Value(raw); value.Kind() {
	case '[':
	case 'n', jsontext.KindInvalid:
		p.Fail(pointer, CodeRequired, "the rows are missing; want an array of objects")
		return nil
	default:
		p.wrongType(pointer, "an array of objects", value)
		return nil
	}
	var rows [][]Assignment
	for i, row := range strictjson.Elements(raw) {
		if i >= MaxRows {
			p.Fail(pointer, CodeTooMany, "more than %d rows; send them in several jobs", MaxRows)
			return nil
		}
		rows = append(rows, p.assignments(row, element(pointer, i), false))
	}
	if len(rows) == 0 {
		p.Fail(pointer, CodeRequired, "there are no rows; want at least one")
	}
	return rows
}

func (p *Parser) assignments(raw jsontext.Value, pointer string, update bool) []Assignment {
	switch raw.Kind() {
	case '{':
	case 'n', jsontext.KindInvalid:
		p.Fail(pointer, CodeRequired, "the values are missing; want an object of columns and values")
		return nil
	default:
		p.wrongType(pointer, "an object of columns and values", raw)
		return nil
	}
	var set []Assignment
	empty := true
	for name, value := range strictjson.Members(raw) {
		empty = false
		at := member(pointer, name)
		if !p.Column(name, at) {
			continue
		}
		if assignment, ok := p.assignment(name, value, at, update); ok {
			set = append(set, assignment)
		}
	}
	if empty {
		p.Fail(pointer, CodeRequired, "there are no values; want at least one column")
	}
	return set
}

func (p *Parser) assignment(column string, raw jsontext.Value, pointer string, update bool) (Assignment, bool) {
	if s := shapeOf(raw); s.members == 1 {
		switch {
		case s.operator == "$now":
			return p.now(column, s.operand, member(pointer, s.operator))
		case s.operator == "$inc" && update:
			return p.inc(column, s.operand, member(pointer, s.operator))
		case s.operator == "$inc":
			p.Fail(member(pointer, s.operator), CodeUnknownOperator, "a new row has nothing to add to; $inc goes with updates")
			return Assignment{}, false
		}
	}
	value, ok := p.value(raw, pointer)
	return Assignment{Column: column, Value: value}, ok
}

func (p *Parser) now(column string, raw jsontext.Value, pointer string) (Assignment, bool) {
	switch raw.Kind() {
	case 't':
		return Assignment{Column: column, Op: Now}, true
	case 'f':
		p.Fail(pointer, strictjson.CodeInvalidValue, "want true")
	default:
		p.wrongType(pointer, "true", raw)
	}
	return Assignment{}, false
}

func (p *Parser) inc(column string, raw jsontext.Value, pointer string) (Assignment, bool) {
	text := string(raw)
	switch raw.Kind() {
	case '0':
	case '"':
		if text = unquote(raw); !decimal.MatchString(text) {
			p.Fail(pointer, strictjson.CodeInvalidValue, `not a number; want one such as -10 or "0.25"`)
			return Assignment{}, false
		}
	default:
		if s := shapeOf(raw); p.inStep() && s.members == 1 && s.operator == refOperator {
			value, ok := p.reference(s.operand, member(pointer, refOperator))
			return Assignment{Column: column, Op: Inc, Value: value}, ok
		}
		p.wrongType(pointer, "a number", raw)
		return Assignment{}, false
	}
	return Assignment{Column: column, Op: Inc, Value: Value{Kind: Number, Text: text}}, true
}

// shape is what a JSON object looks like from outside.
type shape struct {
	members  int
	operator string         // the first name that begins with $; "" for none
	operand  jsontext.Value // its value
}

// shapeOf looks at an object; of any other value there is nothing to see.
func shapeOf(raw jsontext.Value) (s shape) {
	if raw.Kind() != '{' {
		return s
	}
	for name, value := range strictjson.Members(raw) {
		s.members++
		if s.operator == "" && strings.HasPrefix(name, "$") {
			s.operator, s.operand = name, value
		}
	}
	return s
}

// unquote reads a JSON string that has passed strictjson.Check.
func unquote(raw jsontext.Value) string {
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return ""
	}
	return string(text)
}
