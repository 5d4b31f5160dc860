package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/netip"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/asyncops/asyncops/dbop"
)

// bindFunc turns a Go value into what is written to a column or compared with
// it.
type bindFunc func(v reflect.Value, c columnInfo) (dbop.Value, error)

var (
	timeType    = reflect.TypeFor[time.Time]()
	rawJSONType = reflect.TypeFor[json.RawMessage]()
	valuerType  = reflect.TypeFor[driver.Valuer]()
	// textTypes are those that bun reads from text besides what it reads by their
	// kind.
	textTypes = []reflect.Type{reflect.TypeFor[net.IP](), reflect.TypeFor[net.IPNet](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[netip.Prefix]()}
)

// binders holds the bindFunc of each type that was met.
var binders sync.Map // of reflect.Type to bindFunc

// binderOf returns how values of the type are bound, so that bun reads back
// from the column what was written:
//
//   - a driver.Valuer, as the value that it returns
//   - nil, as NULL
//   - time.Time, in UTC
//   - []byte, as bytes; in a JSON column, and in one of text, as the text itself
//   - a string in a JSON column, as JSON text
//   - maps, slices and structs, as JSON, and slices as arrays in an array column
func binderOf(t reflect.Type) bindFunc {
	if known, ok := binders.Load(t); ok {
		return known.(bindFunc)
	}
	f := newBinder(t)
	binders.Store(t, f)
	return f
}

func newBinder(t reflect.Type) bindFunc {
	switch {
	case t == timeType:
		return func(v reflect.Value, _ columnInfo) (dbop.Value, error) {
			return bindTime(v.Interface().(time.Time)), nil
		}
	case t == rawJSONType:
		return func(v reflect.Value, c columnInfo) (dbop.Value, error) { return bindBytes(v.Bytes(), c) }
	case t.Implements(valuerType) && t.Kind() != reflect.Interface:
		return bindValuer
	case t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(valuerType):
		return func(v reflect.Value, c columnInfo) (dbop.Value, error) {
			p := reflect.New(t)
			p.Elem().Set(v)
			return bindValuer(p, c)
		}
	}
	for _, text := range textTypes {
		if t == text {
			return bindText
		}
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface:
		return func(v reflect.Value, c columnInfo) (dbop.Value, error) {
			if v.IsNil() {
				return dbop.Value{}, nil
			}
			return binderOf(v.Elem().Type())(v.Elem(), c)
		}
	case reflect.Bool:
		return func(v reflect.Value, _ columnInfo) (dbop.Value, error) {
			return dbop.Value{Kind: dbop.Bool, Text: strconv.FormatBool(v.Bool())}, nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(v reflect.Value, _ columnInfo) (dbop.Value, error) {
			return dbop.Value{Kind: dbop.Number, Text: strconv.FormatInt(v.Int(), 10)}, nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(v reflect.Value, _ columnInfo) (dbop.Value, error) {
			return dbop.Value{Kind: dbop.Number, Text: strconv.FormatUint(v.Uint(), 10)}, nil
		}
	case reflect.Float32, reflect.Float64:
		return func(v reflect.Value, _ columnInfo) (dbop.Value, error) { return bindFloat(v.Float(), t.Bits()), nil }
	case reflect.String:
		return func(v reflect.Value, c columnInfo) (dbop.Value, error) { return bindString(v.String(), c) }
	case reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
		if t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Uint8 {
			break // bun could not read it back
		}
		if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
			return func(v reflect.Value, c columnInfo) (dbop.Value, error) { return bindBytes(v.Bytes(), c) }
		}
		return bindJSON
	}
	return func(_ reflect.Value, c columnInfo) (dbop.Value, error) {
		return dbop.Value{}, unfit(c, fmt.Sprintf("a value of Go type %s cannot be kept", t))
	}
}

// bindAny binds a value whose type is not known before.
func bindAny(v any, c columnInfo) (dbop.Value, error) {
	if v == nil {
		return dbop.Value{}, nil
	}
	return binderOf(reflect.TypeOf(v))(reflect.ValueOf(v), c)
}

func bindTime(t time.Time) dbop.Value {
	return dbop.Value{Kind: dbop.String, Text: t.UTC().Format(time.RFC3339Nano)}
}

func bindValuer(v reflect.Value, c columnInfo) (dbop.Value, error) {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return dbop.Value{}, nil
	}
	value, err := v.Interface().(driver.Valuer).Value()
	if err != nil {
		return dbop.Value{}, unfit(c, err.Error())
	}
	switch value := value.(type) {
	case time.Time:
		return bindTime(value), nil
	case []byte:
		return bindBytes(value, c)
	case driver.Valuer: // of which there would be no end
		return dbop.Value{}, unfit(c, fmt.Sprintf("the Value method of Go type %s returns another with one", v.Type()))
	}
	return bindAny(value, c)
}

func bindText(v reflect.Value, c columnInfo) (dbop.Value, error) {
	if v.IsZero() {
		return dbop.Value{}, nil
	}
	if n, ok := v.Interface().(net.IPNet); ok { // whose String is the pointer's
		return bindString(n.String(), c)
	}
	return bindString(v.Interface().(fmt.Stringer).String(), c)
}

func bindFloat(f float64, bits int) dbop.Value {
	if math.IsNaN(f) || math.IsInf(f, 0) { // the words of those databases that keep them
		return dbop.Value{Kind: dbop.String, Text: map[bool]string{true: "NaN", false: strconv.FormatFloat(f, 'g', -1, bits)}[math.IsNaN(f)]}
	}
	return dbop.Value{Kind: dbop.Number, Text: strconv.FormatFloat(f, 'g', -1, bits)}
}

func bindString(s string, c columnInfo) (dbop.Value, error) {
	if c.class != classJSON {
		return dbop.Value{Kind: dbop.String, Text: s}, nil
	}
	if !json.Valid([]byte(s)) {
		return dbop.Value{}, unfit(c, "a string in a JSON column must be JSON text")
	}
	return dbop.Value{Kind: dbop.JSON, Text: s}, nil
}

func bindBytes(data []byte, c columnInfo) (dbop.Value, error) {
	switch {
	case data == nil:
		return dbop.Value{}, nil
	case c.class == classBytes, c.class == classAny:
		return dbop.Value{Kind: dbop.Bytes, Text: string(data)}, nil
	}
	return bindString(string(data), c)
}

func bindJSON(v reflect.Value, c columnInfo) (dbop.Value, error) {
	if (v.Kind() == reflect.Map || v.Kind() == reflect.Slice) && v.IsNil() {
		return dbop.Value{}, nil
	}
	text, err := json.Marshal(v.Interface())
	switch {
	case err != nil:
		return dbop.Value{}, unfit(c, err.Error())
	case c.class == classJSON, c.class == classArray:
		return dbop.Value{Kind: dbop.JSON, Text: string(text)}, nil
	}
	return dbop.Value{Kind: dbop.String, Text: string(text)}, nil
}
