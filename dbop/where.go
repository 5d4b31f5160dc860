package dbop

import (
	"encoding/json"
	"strings"

	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/go-json-experiment/json/jsontext"
)

// Where reads a predicate: an object whose members all must hold. A member is
// a column with a value or with operators, or one of $and, $or and $not. No
// text and null mean every row (a nil Cond).
//
//	{"status":"active"}                 equals; null means IS NULL
//	{"age":{"$gte":18,"$lt":65}}        $eq $ne $gt $gte $lt $lte $like $in $nin $null $not
//	{"$or":[{"a":1},{"$not":{"b":2}}]}  $and and $or take arrays, $not an object
//
// Comparisons are SQL's: no row whose column is null satisfies any but null
// itself, {"$eq":null}, {"$null":true} and a null among the values of $in.
func (p *Parser) Where(raw json.RawMessage, pointer string) Cond {
	value := jsontext.Value(raw)
	switch value.Kind() {
	case '{':
		return p.predicate(value, pointer)
	case 'n', jsontext.KindInvalid:
		return nil
	}
	p.wrongType(pointer, "an object", value)
	return nil
}

// predicate reads an object of conditions that all must hold.
func (p *Parser) predicate(raw jsontext.Value, pointer string) Cond {
	if raw.Kind() != '{' {
		p.wrongType(pointer, "an object", raw)
		return And(nil)
	}
	var parts And
	for name, value := range strictjson.Members(raw) {
		at := member(pointer, name)
		switch {
		case name == "$and":
			parts = append(parts, all(p.predicates(value, at)))
		case name == "$or":
			parts = append(parts, either(p.predicates(value, at)))
		case name == "$not":
			parts = append(parts, Not{p.predicate(value, at)})
		case strings.HasPrefix(name, "$"):
			p.unknownOperator(name, at, "$and", "$or", "$not")
		case p.Column(name, at):
			p.refs = append(p.refs, Ref{Column: name, Pointer: at})
			parts = append(parts, p.comparisons(name, value, at)...)
		}
	}
	return all(parts)
}

func (p *Parser) predicates(raw jsontext.Value, pointer string) []Cond {
	if raw.Kind() != '[' {
		p.wrongType(pointer, "an array of objects", raw)
		return nil
	}
	var parts []Cond
	for i, part := range strictjson.Elements(raw) {
		parts = append(parts, p.predicate(part, element(pointer, i)))
	}
	return parts
}

// comparisons reads what a column is compared with: a value, or an object of
// operators that all must hold.
func (p *Parser) comparisons(column string, raw jsontext.Value, pointer string) []Cond {
	if raw.Kind() == '{' {
		switch s := shapeOf(raw); {
		case s.members == 0:
			p.Fail(pointer, CodeEmptyWhere, `names no comparison; to compare with an empty object write {"$literal":{}}`)
			return nil
		case s.operator != "" && s.operator != "$literal" && s.operator != "$base64" && (s.operator != refOperator || !p.inStep()):
			return p.operators(column, raw, pointer)
		}
	}
	return p.compare(column, Eq, raw, pointer)
}

// operators reads {"$gte":18,"$lt":65}.
func (p *Parser) operators(column string, raw jsontext.Value, pointer string) []Cond {
	var parts []Cond
	for name, value := range strictjson.Members(raw) {
		at := member(pointer, name)
		switch op := CompareOp(name); {
		case op == Eq, op == Ne, op == Gt, op == Gte, op == Lt, op == Lte, op == Like:
			parts = append(parts, p.compare(column, op, value, at)...)
		case name == "$in", name == "$nin":
			parts = append(parts, p.among(column, name == "$nin", value, at)...)
		case name == "$null":
			parts = append(parts, p.null(column, value, at)...)
		case name == "$not":
			parts = append(parts, p.not(column, value, at)...)
		default:
			p.unknownOperator(name, at, columnOperators()...)
		}
	}
	return parts
}

func columnOperators() []string {
	return []string{"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$like", "$null", "$not"}
}

// compare reads one comparison with one value.
func (p *Parser) compare(column string, op CompareOp, raw jsontext.Value, pointer string) []Cond {
	value, ok := p.whereValue(raw, pointer)
	if !ok || !p.condition(pointer) {
		return nil
	}
	cond, code, fault := comparison(column, op, value)
	if fault != "" {
		p.Fail(pointer, code, "%s", fault)
		return nil
	}
	return []Cond{cond}
}

// comparison is a comparison with one value, or what is wrong with it.
func comparison(column string, op CompareOp, value Value) (cond Cond, code, fault string) {
	looksLike := op == Like && value.Kind != Reference
	switch {
	case value.Kind == Null && (op == Eq || op == Ne):
		return IsNull{Column: column, Negated: op == Ne}, "", ""
	case value.Kind == Null:
		return nil, strictjson.CodeInvalidValue, `nothing compares with null; write {"$null":true} or {"$null":false}`
	case looksLike && value.Kind != String:
		return nil, strictjson.CodeWrongType, "want a string, got " + value.written()
	case looksLike && strings.HasSuffix(strings.ReplaceAll(value.Text, `\\`, ""), `\`):
		return nil, strictjson.CodeInvalidValue, `the pattern ends in a \ that escapes nothing; write \\`
	case op != Eq && op != Ne && (value.Kind == JSON || value.Kind == Template):
		return nil, strictjson.CodeWrongType, "want a number, a string or a boolean, got " + value.written()
	}
	return Compare{Column: column, Op: op, Value: value}, "", ""
}

// among reads the values of $in and $nin. A null among them stands for rows
// whose column is null, which SQL's IN would never find and whose NOT IN would
// find nothing at all.
func (p *Parser) among(column string, negated bool, raw jsontext.Value, pointer string) []Cond {
	if raw.Kind() != '[' {
		p.wrongType(pointer, "an array", raw)
		return nil
	}
	if !p.condition(pointer) {
		return nil
	}
	in, null := In{Column: column, Negated: negated}, false
	for i, item := range strictjson.Elements(raw) {
		if i >= MaxIn {
			p.Fail(pointer, CodeTooMany, "more than %d values", MaxIn)
			return nil
		}
		value, ok := p.whereValue(item, element(pointer, i))
		switch {
		case !ok:
		case value.Kind == Null:
			null = true
		default:
			in.Values = append(in.Values, value)
		}
	}
	return []Cond{orNull(in, null)}
}

// orNull is among the values, or null if that is one of them.
func orNull(in In, null bool) Cond {
	switch isNull := (IsNull{Column: in.Column, Negated: in.Negated}); {
	case !null:
		return in
	case len(in.Values) == 0:
		return isNull
	case in.Negated:
		return And{in, isNull}
	default:
		return Or{in, isNull}
	}
}

func (p *Parser) null(column string, raw jsontext.Value, pointer string) []Cond {
	switch raw.Kind() {
	case 't', 'f':
		if p.condition(pointer) {
			return []Cond{IsNull{Column: column, Negated: raw.Kind() == 'f'}}
		}
	default:
		p.wrongType(pointer, "true or false", raw)
	}
	return nil
}

// not reads {"age":{"$not":{"$gt":65}}}.
func (p *Parser) not(column string, raw jsontext.Value, pointer string) []Cond {
	switch {
	case raw.Kind() != '{':
		p.wrongType(pointer, "an object of operators", raw)
		return nil
	case shapeOf(raw).members == 0:
		p.Fail(pointer, CodeEmptyWhere, "names no comparison")
		return nil
	}
	return []Cond{Not{all(p.operators(column, raw, pointer))}}
}

// whereValue reads a literal of a where, within its bounds.
func (p *Parser) whereValue(raw jsontext.Value, pointer string) (Value, bool) {
	value, ok := p.value(raw, pointer)
	if !ok {
		return value, false
	}
	p.values++
	switch {
	case len(value.Text) > MaxWhereText:
		p.Fail(pointer, CodeTooLong, "the value has %d bytes; want at most %d", len(value.Text), MaxWhereText)
		return value, false
	case p.values > MaxWhereValues:
		if p.values == MaxWhereValues+1 {
			p.Fail(pointer, CodeTooMany, "the where has more than %d values", MaxWhereValues)
		}
		return value, false
	}
	return value, true
}

// condition counts a comparison and reports whether it is within the bound.
func (p *Parser) condition(pointer string) bool {
	p.conditions++
	if p.conditions == MaxConditions+1 {
		p.Fail(pointer, CodeTooMany, "the where has more than %d comparisons", MaxConditions)
	}
	return p.conditions <= MaxConditions
}

func (p *Parser) unknownOperator(name, pointer string, known ...string) {
	hint := strictjson.DidYouMean(name, known)
	if hint == "" {
		hint = "; known are " + strings.Join(known, ", ")
	}
	p.Fail(pointer, CodeUnknownOperator, "no such operator here%s", hint)
}

// all joins conditions that must all hold.
func all(parts []Cond) Cond {
	if len(parts) == 1 {
		return parts[0]
	}
	return And(parts)
}

// either joins conditions of which some must hold.
func either(parts []Cond) Cond {
	if len(parts) == 1 {
		return parts[0]
	}
	return Or(parts)
}
