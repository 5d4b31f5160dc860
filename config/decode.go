package config

import (
	"encoding/json"
	"reflect"
	"strconv"

	"gopkg.in/yaml.v3"
)

// Bounds of what a file may hold, aliases counted where they are used.
const (
	maxDepth = 64
	maxNodes = 200_000
)

// decoder reads YAML nodes into the configuration and notes every problem.
type decoder struct {
	report *report
	getenv func(string) string
	from   origin // of nodes without a line
	depth  int
	nodes  int
	// tooLarge ends the reading.
	tooLarge bool
}

func (d *decoder) origin(n *yaml.Node) origin {
	at := d.from
	if at.file != "" {
		at.line = n.Line
	}
	return at
}

// problem notes that n cannot be read as the value of a setting.
func (d *decoder) problem(n *yaml.Node, path, format string, args ...any) {
	d.report.add(d.origin(n), path, format, args...)
	d.report.unread[path] = true
}

// enter guards against aliases that hold themselves or multiply; each call
// that answers true needs a leave.
func (d *decoder) enter(n *yaml.Node, path string) bool {
	if d.tooLarge {
		return false
	}
	d.depth++
	d.nodes++
	if d.depth > maxDepth || d.nodes > maxNodes {
		d.tooLarge = true
		d.problem(n, path, "is nested too deeply or too large; write it without aliases that hold aliases")
		return false
	}
	return true
}

func (d *decoder) leave() { d.depth-- }

// value reads n into v, which holds the default.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	at := d.origin(n)
	n = resolve(n)
	if !d.enter(n, path) {
		return
	}
	defer d.leave()
	if path != "" {
		d.report.origins[path] = at
	}
	t := v.Type()
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		d.object(n, v, path)
	case isScalar(t):
		d.scalar(n, v, path)
	case n.ShortTag() == "!!null":
		return // a section, list or map without content is as if it were not there
	case t.Kind() == reflect.Struct:
		d.section(n, v, path)
	case t.Kind() == reflect.Map:
		d.entries(n, v, path)
	case t.Kind() == reflect.Slice:
		d.list(n, v, path)
	}
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// section reads a mapping whose keys are fields.
func (d *decoder) section(n *yaml.Node, v reflect.Value, path string) {
	pairs, ok := d.pairs(n, path)
	if !ok {
		return
	}
	fields := map[string]int{}
	for i := range v.NumField() {
		fields[v.Type().Field(i).Tag.Get("yaml")] = i
	}
	if isEntries(v.Type()) {
		v.SetZero()
	}
	for _, p := range pairs {
		key := p.key.Value
		i, ok := fields[key]
		if !ok {
			d.report.add(d.origin(p.key), joinPath(path, key), "is an unknown key%s", didYouMean(key, sortedKeys(fields)))
			continue
		}
		field := v.Field(i)
		if field.Kind() == reflect.Pointer {
			field.Set(reflect.New(field.Type().Elem()))
			field = field.Elem()
			fillDefaults(field, key)
		}
		d.pair(p, field, joinPath(path, key))
	}
}

// entries reads a mapping whose keys are names; it replaces the default.
func (d *decoder) entries(n *yaml.Node, v reflect.Value, path string) {
	pairs, ok := d.pairs(n, path)
	if !ok {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, p := range pairs {
		entry := reflect.New(v.Type().Elem()).Elem()
		fillDefaults(entry, p.key.Value)
		d.pair(p, entry, joinPath(path, p.key.Value))
		v.SetMapIndex(reflect.ValueOf(p.key.Value), entry)
	}
}

// list reads a sequence; it replaces the default.
func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.problem(n, path, "is %s; write a list such as [%s]", describe(n), example(v.Type().Elem()))
		return
	}
	v.SetZero()
	if len(n.Content) == 0 {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		fillDefaults(v.Index(i), "")
		d.value(item, v.Index(i), indexPath(path, i))
	}
}

func example(t reflect.Type) string {
	if isScalar(t) {
		return "first, second"
	}
	return "{key: value}"
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return "one value"
	}
}

type pair struct{ key, value *yaml.Node }

// pair reads the value of p into v; the setting is where its key is.
func (d *decoder) pair(p pair, v reflect.Value, path string) {
	d.value(p.value, v, path)
	d.report.origins[path] = d.origin(p.key)
}

// pairs returns the keys and values of a mapping, those of merged mappings
// (<<) included; false means that n is no mapping.
func (d *decoder) pairs(n *yaml.Node, path string) ([]pair, bool) {
	if n.Kind != yaml.MappingNode {
		d.problem(n, path, "is %s; write a mapping, key: value", describe(n))
		return nil, false
	}
	var own []pair
	var merged []*yaml.Node
	lines := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.ShortTag() == "!!merge":
			merged = append(merged, value)
			continue
		case key.Kind != yaml.ScalarNode:
			d.report.add(d.origin(key), path, "has a key that is %s; write a plain word", describe(key))
			continue
		}
		if line, twice := lines[key.Value]; twice {
			d.report.add(d.origin(key), joinPath(path, key.Value), "is given twice%s; keep one", onLine(line))
			continue
		}
		lines[key.Value] = key.Line
		own = append(own, pair{key, value})
	}
	for _, value := range merged {
		own = d.merge(own, value, path)
	}
	return own, true
}

func onLine(line int) string {
	if line == 0 {
		return ""
	}
	return ", first on line " + strconv.Itoa(line)
}

// merge adds the keys of a merged mapping, or of a list of them, that are not
// there yet.
func (d *decoder) merge(own []pair, n *yaml.Node, path string) []pair {
	n = resolve(n)
	if !d.enter(n, path) {
		return own
	}
	defer d.leave()
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			own = d.merge(own, item, path)
		}
		return own
	}
	more, _ := d.pairs(n, path)
	have := map[string]bool{}
	for _, p := range own {
		have[p.key.Value] = true
	}
	for _, p := range more {
		if !have[p.key.Value] {
			own = append(own, p)
		}
	}
	return own
}
