package dbop

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/go-json-experiment/json/jsontext"
)

// CodeUnknownReference is the code of a $ref to a step that is not there, or
// does not come earlier.
const CodeUnknownReference = "unknown_reference"

const refOperator = "$ref"

// Step has the parser read a step of a transaction, the one at index of those
// with these names ("" for none): where a value may stand, {"$ref":"user.id"}
// may, and everywhere inside of an array or object for a JSON column.
func (p *Parser) Step(names []string, index int) {
	p.steps, p.step = names, index
}

// inStep reports whether references are taken.
func (p *Parser) inStep() bool { return p.steps != nil }

// reference reads what follows $ref: the name of an earlier step and the way
// into its result.
func (p *Parser) reference(raw jsontext.Value, pointer string) (Value, bool) {
	if raw.Kind() != '"' {
		p.wrongType(pointer, "a string", raw)
		return Value{}, false
	}
	path := unquote(raw)
	if len(path) > MaxPath {
		p.Fail(pointer, CodeTooLong, "the path has %d bytes; want at most %d", len(path), MaxPath)
		return Value{}, false
	}
	name, way, _ := strings.Cut(path, ".")
	if !ValidStepName(name) || slices.Contains(strings.Split(way, "."), "") {
		p.Fail(pointer, strictjson.CodeInvalidValue, `not a path; want the name of an earlier operation and what of its result, such as "user.id"; for an object as it stands write {"$literal":{…}}`)
		return Value{}, false
	}
	switch at := slices.Index(p.steps, name); {
	case at < 0:
		earlier := slices.DeleteFunc(slices.Clone(p.steps[:p.step]), func(name string) bool { return name == "" })
		p.Fail(pointer, CodeUnknownReference, "no earlier operation is called %s%s", name, didYouMean(name, earlier))
	case at == p.step:
		p.Fail(pointer, CodeUnknownReference, "%s is this operation itself; its result is there for later ones", name)
	case at > p.step:
		p.Fail(pointer, CodeUnknownReference, "%s is a later operation, the one at %d; put it before this one", name, at)
	default:
		return Value{Kind: Reference, Text: path}, true
	}
	return Value{}, false
}

func didYouMean(name string, known []string) string {
	if hint := strictjson.DidYouMean(name, known); hint != "" {
		return hint
	}
	if len(known) == 0 {
		return "; give one a name with as"
	}
	return "; known are " + strings.Join(known, ", ")
}

// template looks for references inside of an array or object, and reports
// whether there are any.
func (p *Parser) template(raw jsontext.Value, pointer string) (found, ok bool) {
	ok = true
	part := func(value jsontext.Value, at string) {
		if operand, is := nestedReference(value); is {
			_, fine := p.reference(operand, at+"/"+refOperator)
			found, ok = true, ok && fine
			return
		}
		deeper, fine := p.template(value, at)
		found, ok = found || deeper, ok && fine
	}
	switch raw.Kind() {
	case '{':
		for name, value := range strictjson.Members(raw) {
			part(value, member(pointer, name))
		}
	case '[':
		for i, value := range strictjson.Elements(raw) {
			part(value, element(pointer, i))
		}
	}
	return found, ok
}

// nestedReference returns what follows $ref in an object that has nothing
// else. Inside of a JSON value other objects stand as they are.
func nestedReference(raw jsontext.Value) (operand jsontext.Value, is bool) {
	s := shapeOf(raw)
	return s.operand, s.members == 1 && s.operator == refOperator
}

// fill writes a template with the values of its references.
func fill(raw jsontext.Value, find func(path string) (jsontext.Value, error)) (json.RawMessage, error) {
	if operand, is := nestedReference(raw); is {
		value, err := find(unquote(operand))
		return json.RawMessage(value), err
	}
	var out []byte
	var failed error
	part := func(value jsontext.Value) {
		text, err := fill(value, find)
		if failed == nil {
			failed = err
		}
		out = append(append(out, text...), ',')
	}
	switch raw.Kind() {
	case '{':
		out = append(out, '{')
		for name, value := range strictjson.Members(raw) {
			quoted, _ := jsontext.AppendQuote(out, name) // it has passed strictjson.Check
			out = append(quoted, ':')
			part(value)
		}
		return closed(out, '}'), failed
	case '[':
		out = append(out, '[')
		for _, value := range strictjson.Elements(raw) {
			part(value)
		}
		return closed(out, ']'), failed
	}
	return json.RawMessage(raw), nil
}

// closed ends a list, whose last comma is one too many.
func closed(out []byte, end byte) []byte {
	if last := len(out) - 1; out[last] == ',' {
		out = out[:last]
	}
	return append(out, end)
}
