package dbop

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/asyncops/asyncops/job"
	"github.com/go-json-experiment/json/jsontext"
)

// Results are what the steps of a transaction have answered so far, where
// references of later steps are looked up. The zero value is ready for use, for
// one transaction and one goroutine.
type Results struct {
	named map[string]*node
	taken int // bytes that references have brought
}

// Add takes the result of the step of that name. It must not change afterwards.
func (r *Results) Add(name string, result json.RawMessage) {
	if r.named == nil {
		r.named = make(map[string]*node)
	}
	r.named[name] = &node{raw: jsontext.Value(result)}
}

// find follows a path: user.row.id, orders.rows.0.id, user.rows_affected. What
// follows the name is looked for in the row first, where the result has one
// (user.id), and then in the result itself; row and rows always mean the
// result's own.
func (r *Results) find(path string) (jsontext.Value, error) {
	name, way, _ := strings.Cut(path, ".")
	at := r.named[name]
	if at == nil {
		return nil, unresolved(path, "there is no result of an operation called "+name)
	}
	segments := strings.Split(way, ".")
	if first := segments[0]; first != "row" && first != "rows" {
		if row := at.child("row"); row != nil && row.child(first) != nil {
			at = row
		}
	}
	for i, segment := range segments {
		next := at.child(segment)
		if next == nil {
			where := strings.Join(append([]string{name}, segments[:i]...), ".")
			why := where + " " + at.lacks(segment)
			if row := at.child("row"); i == 0 && row != nil {
				why += "; row " + row.holds()
			}
			return nil, unresolved(path, why)
		}
		at = next
	}
	if r.taken += len(at.raw); r.taken > MaxReference {
		return nil, unresolved(path, "the references bring more than "+strconv.Itoa(MaxReference)+" bytes in all")
	}
	return at.raw, nil
}

// unresolved is the failure of a reference that cannot be followed, or leads to
// what may not stand there. It may quote names out of rows.
func unresolved(path, why string) error {
	f := job.Permanent(job.CodeInvalidReference, "$ref %s: %s", path, why)
	f.Private = true
	return f
}

// value returns what a path leads to, as a literal. Where bytes are not wanted,
// which for a JSON column they are not, {"$base64":…} stands for itself.
func (r *Results) value(path string, bytesWanted bool) (Value, error) {
	raw, err := r.find(path)
	if err != nil {
		return Value{}, err
	}
	switch raw.Kind() {
	case 'n':
		return Value{Kind: Null}, nil
	case 't', 'f':
		return Value{Kind: Bool, Text: string(raw)}, nil
	case '0':
		return Value{Kind: Number, Text: string(raw)}, nil
	case '"':
		text, err := jsontext.AppendUnquote(nil, raw)
		if err != nil { // a JSON column may hold what is no text, such as half a surrogate pair
			return Value{}, unresolved(path, "not valid text")
		}
		return Value{Kind: String, Text: string(text)}, nil
	}
	if data, is := base64Object(raw); is && bytesWanted {
		return Value{Kind: Bytes, Text: data}, nil
	}
	return Value{Kind: JSON, Text: string(raw)}, nil
}

// base64Object reads {"$base64":"…"}.
func base64Object(raw jsontext.Value) (data string, is bool) {
	s := shapeOf(raw)
	if s.members != 1 || s.operator != "$base64" || s.operand.Kind() != '"' {
		return "", false
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(unquote(s.operand))
	return string(decoded), err == nil
}

// node is a JSON value, taken apart when it is first asked for what is in it:
// many references into one large result cost no more than reading it once.
type node struct {
	raw      jsontext.Value
	opened   bool
	members  map[string]*node // of an object
	names    []string         // of them, in order
	elements []*node          // of an array
}

// child returns a member or element, nil if there is none.
func (n *node) child(segment string) *node {
	n.open()
	if n.members != nil {
		return n.members[segment]
	}
	i, err := strconv.Atoi(segment)
	if err != nil || i < 0 || i >= len(n.elements) || strconv.Itoa(i) != segment {
		return nil
	}
	return n.elements[i]
}

// open reads what the database has returned: JSON, but not always of the kind
// that is taken from callers.
func (n *node) open() {
	kind := n.raw.Kind()
	if n.opened || kind != '{' && kind != '[' {
		return
	}
	n.opened = true
	dec := jsontext.NewDecoder(bytes.NewReader(n.raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if _, err := dec.ReadToken(); err != nil {
		return
	}
	if kind == '{' {
		n.members = make(map[string]*node)
	}
	for next := dec.PeekKind(); next != '}' && next != ']' && next != jsontext.KindInvalid; next = dec.PeekKind() {
		name := ""
		if kind == '{' {
			token, err := dec.ReadToken()
			if err != nil {
				return
			}
			name = token.String()
		}
		value, err := dec.ReadValue()
		if err != nil {
			return
		}
		end := int(dec.InputOffset())
		part := &node{raw: n.raw[end-len(value) : end : end]}
		if kind == '[' {
			n.elements = append(n.elements, part)
			continue
		}
		if n.members[name] == nil {
			n.names = append(n.names, name)
		}
		n.members[name] = part
	}
}

// lacks says why there is no such child.
func (n *node) lacks(segment string) string {
	if n.raw.Kind() == '{' {
		return "has no " + strconv.Quote(segment) + "; it " + n.holds()
	}
	return n.holds()
}

// maxTold is how many names an error lists.
const maxTold = 20

// holds says what is there, without values.
func (n *node) holds() string {
	n.open()
	switch n.raw.Kind() {
	case '{':
		names := n.names
		more := ""
		if len(names) > maxTold {
			names, more = names[:maxTold], ", …"
		}
		if len(names) == 0 {
			return "is empty"
		}
		return "has " + strings.Join(names, ", ") + more
	case '[':
		return "has " + strconv.Itoa(len(n.elements)) + " elements"
	case 'n':
		return "is null"
	case '"':
		return "is a string"
	case '0':
		return "is a number"
	}
	return "is a boolean"
}
