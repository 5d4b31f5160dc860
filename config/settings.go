package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"
)

// Setting describes one thing that can be configured.
type Setting struct {
	Path     string   // such as databases.<name>.dsn or api.keys[].role
	Env      string   // its variable, such as ASYNCOPS_DATABASES_<NAME>_DSN; empty within lists
	Type     string   // such as "duration"
	Default  string   // as it would be written; empty if there is none
	Values   []string // the words that are allowed; nil if any
	Required bool     // it must be given wherever what holds it is
}

// Settings lists every setting in the order of the file. Entries of maps stand
// under <name>, those of lists under [].
func Settings() []Setting {
	cfg := Default()
	defaults := map[string]string{}
	walk(leaf{value: reflect.ValueOf(cfg).Elem()}, func(l leaf) { defaults[l.path] = formatLeaf(l.value) })
	populate(reflect.ValueOf(cfg).Elem())
	var settings []Setting
	walk(leaf{value: reflect.ValueOf(cfg).Elem()}, func(l leaf) {
		value, whole := defaults[l.path]
		switch {
		case whole:
		case l.value.Kind() == reflect.Map:
			value = "{}" // what populate put there is no default
		default:
			value = formatLeaf(l.value)
		}
		s := Setting{Path: strings.ReplaceAll(l.path, "[0]", "[]"), Type: typeName(l.value.Type()), Default: value}
		if !l.inList {
			s.Env = twin(l.path)
		}
		for _, word := range strings.Split(l.tag.Get("oneof"), "|") {
			if word != "" {
				s.Values = append(s.Values, word)
			}
		}
		_, s.Required = l.tag.Lookup("required")
		settings = append(settings, s)
	})
	return settings
}

// populate leaves one entry in every map and list of sections within v.
func populate(v reflect.Value) {
	t := v.Type()
	switch {
	case isScalar(t):
	case t.Kind() == reflect.Pointer:
		populate(v.Elem())
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			populate(v.Field(i))
		}
	case t.Kind() == reflect.Map:
		entry := reflect.New(t.Elem()).Elem()
		fillDefaults(entry, "<name>")
		populate(entry)
		v.Set(reflect.MakeMap(t))
		v.SetMapIndex(reflect.ValueOf("<name>"), entry)
	case t.Kind() == reflect.Slice && !isScalar(t.Elem()):
		v.Set(reflect.MakeSlice(t, 1, 1))
		fillDefaults(v.Index(0), "")
		populate(v.Index(0))
	}
}

// formatLeaf writes a value as it stands in a file; maps and lists as JSON.
func formatLeaf(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case time.Time:
		return ""
	case json.RawMessage:
		return string(value)
	case encoding.TextMarshaler:
		text, err := value.MarshalText()
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
	switch v.Kind() {
	case reflect.Slice:
		return "[]"
	case reflect.Pointer:
		return formatLeaf(v.Elem())
	case reflect.Map, reflect.Struct:
		return formatEntries(v)
	default:
		return fmt.Sprint(v.Interface())
	}
}

// formatEntries writes what is not zero in a map or section, in YAML's flow
// style.
func formatEntries(v reflect.Value) string {
	var entries []string
	if v.Kind() == reflect.Map {
		for _, key := range mapKeys(v) {
			entries = append(entries, key+": "+formatLeaf(v.MapIndex(reflect.ValueOf(key))))
		}
	} else {
		for i := range v.NumField() {
			if field := v.Field(i); !field.IsZero() {
				entries = append(entries, v.Type().Field(i).Tag.Get("yaml")+": "+formatLeaf(field))
			}
		}
	}
	return "{" + strings.Join(entries, ", ") + "}"
}

func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Secret]():
		return "secret"
	case reflect.TypeFor[DSN]():
		return "database address"
	case reflect.TypeFor[RedisURL]():
		return "Redis address"
	case reflect.TypeFor[Duration]():
		return "duration"
	case reflect.TypeFor[Size]():
		return "size"
	case reflect.TypeFor[time.Time]():
		return "time"
	case reflect.TypeFor[netip.Prefix]():
		return "network"
	case reflect.TypeFor[json.RawMessage]():
		return "object"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.Int:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list"
	case reflect.Map, reflect.Struct:
		return "map"
	default:
		return "text"
	}
}
