package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Decode reads data into what into points to, which should be a zero value.
// It answers nil, or a *job.InvalidError about the first fault: everything
// that Check refuses, members that the struct does not have (names count with
// their case), values of another JSON type, integers with a fraction, an
// exponent or a minus before zero, and integers that do not fit (422).
//
// A null leaves its field zero. Fields of type json.RawMessage and
// jsontext.Value keep their bytes exactly, a null as well.
func Decode(data []byte, into any) error { return DecodeAt("", data, into) }

// DecodeAt is Decode for data that stands at pointer in a larger text: the
// pointers of what is wrong begin there.
func DecodeAt(pointer string, data []byte, into any) error {
	malformed, invalid := check(data)
	if malformed == nil {
		err := decode(data, into)
		if err != nil && !errors.As(err, &invalid) {
			return fmt.Errorf("strictjson: decode into %T: %w", into, err)
		}
		if invalid == nil {
			return nil
		}
		malformed = invalid
	}
	for i := range malformed.Fields {
		malformed.Fields[i].Pointer = pointer + malformed.Fields[i].Pointer
	}
	return malformed
}

// decode reads data that has passed check.
func decode(data []byte, into any) error {
	opts := []json.Options{json.RejectUnknownMembers(true), jsontext.AllowDuplicateNames(true)}
	if bytes.Contains(data, []byte("-0")) {
		opts = append(opts, json.WithUnmarshalers(json.UnmarshalFromFunc(refuseMinusZero)))
	}
	err := json.Unmarshal(data, into, opts...)
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) || semantic.GoType == nil {
		return err
	}
	if e := explain(semantic); e != nil {
		return e
	}
	return err
}

// refuseMinusZero refuses -0 where an integer is wanted, and leaves everything
// else to the decoder.
func refuseMinusZero(dec *jsontext.Decoder, into any) error {
	t := reflect.TypeOf(into).Elem()
	if !isInteger(t) || dec.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	next := bytes.TrimLeft(dec.UnreadBuffer(), " \t\r\n,:")
	if bytes.HasPrefix(next, []byte("-0")) {
		return &json.SemanticError{GoType: t, JSONKind: '0', Err: strconv.ErrSyntax}
	}
	return errors.ErrUnsupported
}

// explain puts what the decoder could not take into words; nil when it is the
// program's fault and not the text's.
func explain(err *json.SemanticError) *job.InvalidError {
	pointer, t := string(err.JSONPointer), indirect(err.GoType)
	switch {
	case errors.Is(err.Err, json.ErrUnknownName):
		return job.Malformed(pointer, CodeUnknownField, "%s", unknownField(err.JSONPointer.LastToken(), t))
	case errors.Is(err.Err, strconv.ErrRange):
		return job.Invalid(pointer, CodeOutOfRange, "the number does not fit%s", span(t))
	case errors.Is(err.Err, strconv.ErrSyntax) && isInteger(t):
		return job.Malformed(pointer, CodeNotAnInteger, "want an integer, written without a minus before zero, a fraction or an exponent")
	case err.JSONKind == '"' && t == reflect.TypeFor[time.Time]():
		return job.Invalid(pointer, CodeInvalidValue, "want a time in RFC 3339, such as 2026-11-23T10:00:00Z")
	case err.JSONKind == '"' && err.Err != nil:
		return job.Invalid(pointer, CodeInvalidValue, "%s", err.Err.Error())
	case err.JSONKind == 0:
		return nil
	}
	return job.Malformed(pointer, CodeWrongType, "want %s, got %s", want(t), KindName(err.JSONKind))
}

func indirect(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func isInteger(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}

// span says what an integer type holds; "" for other types.
func span(t reflect.Type) string {
	switch {
	case !isInteger(t):
		return ""
	case t.Kind() >= reflect.Uint:
		return fmt.Sprintf("; want 0 to %d", ^uint64(0)>>(64-t.Bits()))
	}
	return fmt.Sprintf("; want %d to %d", int64(-1)<<(t.Bits()-1), int64(1)<<(t.Bits()-1)-1)
}

// want names the JSON type that a Go type is decoded from.
func want(t reflect.Type) string {
	if isInteger(t) {
		return "an integer"
	}
	if t == reflect.TypeFor[time.Time]() {
		return "a string"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Map, reflect.Struct:
		return "an object"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return "a string"
		}
		return "an array"
	}
	return "a string"
}

// KindName names a JSON type as error messages do: "a string", "null".
func KindName(kind jsontext.Kind) string {
	switch kind {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{', '}':
		return "an object"
	case '[', ']':
		return "an array"
	}
	return "nothing"
}
