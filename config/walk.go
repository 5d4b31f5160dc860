package config

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"time"
)

// leaf is a setting that has a value of its own: a scalar, a list or a map.
type leaf struct {
	path   string
	value  reflect.Value // settable
	tag    reflect.StructTag
	inList bool // it can only be given with its list
}

// walk calls visit for every leaf within v, a list or map before what is in
// it, in the order of declaration and of keys. visit may change the value.
func walk(l leaf, visit func(leaf)) {
	t := l.value.Type()
	switch {
	case isScalar(t):
		visit(l)
	case t.Kind() == reflect.Pointer:
		if !l.value.IsNil() {
			walk(leaf{l.path, l.value.Elem(), l.tag, l.inList}, visit)
		}
	case t.Kind() == reflect.Struct:
		if isEntries(t) {
			visit(l)
		}
		for i := range t.NumField() {
			field := t.Field(i)
			walk(leaf{joinPath(l.path, field.Tag.Get("yaml")), l.value.Field(i), field.Tag, l.inList}, visit)
		}
	case t.Kind() == reflect.Map:
		visit(l)
		for _, key := range mapKeys(l.value) {
			entry := reflect.New(t.Elem()).Elem() // entries of a map are not settable
			entry.Set(l.value.MapIndex(reflect.ValueOf(key)))
			walk(leaf{joinPath(l.path, key), entry, "", l.inList}, visit)
			l.value.SetMapIndex(reflect.ValueOf(key), entry)
		}
	case t.Kind() == reflect.Slice:
		visit(l)
		if isScalar(t.Elem()) {
			return
		}
		for i := range l.value.Len() {
			walk(leaf{indexPath(l.path, i), l.value.Index(i), "", true}, visit)
		}
	}
}

// isScalar reports whether a setting of the type is written as one value.
func isScalar(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[Secret](), reflect.TypeFor[DSN](), reflect.TypeFor[RedisURL](), reflect.TypeFor[time.Time](),
		reflect.TypeFor[netip.Prefix](), reflect.TypeFor[json.RawMessage]():
		return true
	}
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64, reflect.String:
		return true
	default:
		return false
	}
}

// isEntries reports whether a struct stands for a map whose keys are known:
// each of its fields may be nil, and if it is given, all of it is.
func isEntries(t reflect.Type) bool { return t.Field(0).Type.Kind() == reflect.Pointer }

func mapKeys(m reflect.Value) []string {
	keys := map[string]bool{}
	for _, key := range m.MapKeys() {
		keys[key.String()] = true
	}
	return sortedKeys(keys)
}
