package dbop

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/go-json-experiment/json/jsontext"
)

// NamedQuery is a configured statement, as those see it who run it.
type NamedQuery struct {
	Name   string
	Params []Param
	Write  bool // it changes rows
}

// Param is a parameter of a named statement.
type Param struct {
	Name string
	Type ParamType
}

// ParamType says what a parameter takes. Every one of them takes null.
type ParamType string

const (
	ParamString  ParamType = "string"
	ParamInteger ParamType = "integer" // of 64 bits, signed or not
	ParamNumber  ParamType = "number"  // in floating point
	ParamDecimal ParamType = "decimal" // exact: a string, or a number as it is written
	ParamBoolean ParamType = "boolean"
	ParamTime    ParamType = "time" // RFC 3339; without a zone it is UTC
	ParamBytes   ParamType = "bytes"
	ParamJSON    ParamType = "json"
)

// ParamTypes lists every type of a parameter.
func ParamTypes() []ParamType {
	return []ParamType{ParamString, ParamInteger, ParamNumber, ParamDecimal, ParamBoolean, ParamTime, ParamBytes, ParamJSON}
}

// Argument is a parameter with its value.
type Argument struct {
	Param
	Value Value
}

// CodeUnknownParam is the code of a parameter that a named statement has not.
const CodeUnknownParam = "unknown_param"

// Arguments reads the values of a named statement's parameters: an object with
// all of them, and nothing else. Absent and null are an object without members.
func (p *Parser) Arguments(raw json.RawMessage, query NamedQuery, pointer string) []Argument {
	args := make([]Argument, len(query.Params))
	given := make([]bool, len(args))
	for i, param := range query.Params {
		args[i].Param = param
	}
	switch object := jsontext.Value(raw); object.Kind() {
	case '{':
		for name, value := range strictjson.Members(raw) {
			if i := query.param(name); i >= 0 {
				given[i] = true
				args[i].Value = p.argument(args[i].Param, value, member(pointer, name))
				continue
			}
			p.Fail(member(pointer, name), CodeUnknownParam, "query %s has no parameter %s%s", query.Name, strictjson.Quote(name), query.known(name))
		}
	case 'n', jsontext.KindInvalid:
	default:
		p.wrongType(pointer, "an object of parameters and values", object)
		return args
	}
	for i, param := range query.Params {
		if !given[i] {
			p.Fail(member(pointer, param.Name), CodeRequired, "the parameter is missing; want %s, or null", param.Type.wants())
		}
	}
	return args
}

// param returns where a parameter is, or -1.
func (q NamedQuery) param(name string) int {
	for i, param := range q.Params {
		if param.Name == name {
			return i
		}
	}
	return -1
}

// known helps who has misspelt a parameter.
func (q NamedQuery) known(name string) string {
	names := make([]string, len(q.Params))
	for i, param := range q.Params {
		names[i] = param.Name
	}
	if hint := strictjson.DidYouMean(name, names); hint != "" {
		return hint
	}
	if len(names) == 0 {
		return "; it takes none"
	}
	return "; it takes " + strings.Join(names, ", ")
}

func (p *Parser) argument(param Param, raw jsontext.Value, pointer string) Value {
	value, ok := p.value(raw, pointer)
	if !ok || value.Kind == Reference || value.Kind == Template && param.Type == ParamJSON {
		return value
	}
	if fault := param.Type.fault(value); fault != "" {
		p.Fail(pointer, strictjson.CodeInvalidValue, "%s", fault)
	}
	return value
}

// wants names what a parameter of the type takes.
func (t ParamType) wants() string {
	switch t {
	case ParamString:
		return "a string"
	case ParamInteger:
		return "an integer of 64 bits, written without a fraction or an exponent"
	case ParamNumber:
		return "a number"
	case ParamDecimal:
		return `a decimal, such as "12.50"`
	case ParamBoolean:
		return "true or false"
	case ParamTime:
		return "a time such as 2026-01-31T12:00:00Z"
	case ParamBytes:
		return `bytes, {"$base64":"…"}, or a string`
	}
	return "JSON, in which bytes have no place"
}

// fault says why a parameter does not take a value; "" if it does.
func (t ParamType) fault(v Value) string {
	kind, fits := false, true // whether the JSON type is right, and what was written in it
	switch t {
	case ParamString:
		kind = v.Kind == String
	case ParamInteger:
		kind, fits = v.Kind == Number, isInteger(v.Text)
	case ParamNumber:
		f, err := strconv.ParseFloat(v.Text, 64)
		kind, fits = v.Kind == Number, err == nil && !math.IsInf(f, 0)
	case ParamDecimal:
		kind, fits = v.Kind == Number || v.Kind == String, v.Kind == Number || decimal.MatchString(v.Text)
	case ParamBoolean:
		kind = v.Kind == Bool
	case ParamTime:
		kind = v.Kind == String
		_, fits = ParseTime(v.Text)
	case ParamBytes:
		kind = v.Kind == Bytes || v.Kind == String
	case ParamJSON:
		kind, fits = true, v.Kind != Bytes
	}
	switch {
	case v.Kind == Null, kind && fits:
		return ""
	case kind:
		return "want " + t.wants()
	}
	return "want " + t.wants() + ", got " + v.written()
}

func isInteger(text string) bool {
	if text == "-0" {
		return false
	}
	_, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		_, err = strconv.ParseUint(text, 10, 64)
	}
	return err == nil
}

// ParseTime reads a point in time as a caller writes it; without a zone it is
// UTC, without a time of day midnight.
func ParseTime(s string) (time.Time, bool) {
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999-07",
		"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999",
		"2006-01-02T15:04Z07:00", "2006-01-02 15:04", time.DateOnly,
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
