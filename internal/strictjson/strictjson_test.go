package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

type sample struct {
	Queue    string            `json:"queue"`
	Attempts int               `json:"attempts"`
	Small    int8              `json:"small"`
	Unsigned uint64            `json:"unsigned"`
	Ratio    float64           `json:"ratio"`
	Dry      bool              `json:"dry"`
	Limit    *int              `json:"limit"`
	Tags     []string          `json:"tags"`
	Headers  map[string]string `json:"headers"`
	Args     json.RawMessage   `json:"args"`
	Nested   *sample           `json:"nested"`
	Any      any               `json:"any"`
	RunAt    time.Time         `json:"run_at"`
	Blob     []byte            `json:"blob"`
}

func nested(open, closing string, depth int) string {
	return strings.Repeat(open, depth) + strings.Repeat(closing, depth)
}

func keys(n int) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"k%d":1`, i)
	}
	b.WriteByte('}')
	return b.String()
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		malformed  bool
		want       job.FieldError
	}{
		{"empty", ``, true, job.FieldError{Code: "not_json", Message: "the text is empty; a JSON value is wanted"}},
		{"white space", " \n", true, job.FieldError{Code: "not_json", Message: "the text is empty; a JSON value is wanted"}},
		{"open brace", `{`, true, job.FieldError{Code: "not_json", Message: "not JSON: the text ends at line 1, column 2, in the middle of a value"}},
		{"no value", `{"queue":`, true, job.FieldError{Pointer: "/queue", Code: "not_json", Message: "not JSON: the text ends at line 1, column 10, in the middle of a value"}},
		{"garbage", "{\n \"queue\": ä}", true, job.FieldError{Pointer: "/queue", Code: "not_json", Message: "not JSON: unexpected 'ä' at line 2, column 11"}},
		{"comma", `{"queue":"a",}`, true, job.FieldError{Code: "not_json", Message: "not JSON: unexpected ',' at line 1, column 13"}},
		{"raw control character", "{\"queue\":\"a\x00\"}", true, job.FieldError{Pointer: "/queue", Code: "not_json", Message: `not JSON: unexpected '\x00' at line 1, column 12`}},
		{"trailing garbage", `{}x`, true, job.FieldError{Code: "trailing_data", Message: "something follows the JSON value at line 1, column 3; send one value"}},
		{"two documents", "{}\n{}", true, job.FieldError{Code: "trailing_data", Message: "something follows the JSON value at line 2, column 1; send one value"}},
		{"byte order mark", "\uFEFF{}", true, job.FieldError{Code: "byte_order_mark", Message: "the text begins with a byte order mark; send UTF-8 without it"}},
		{"duplicate", `{"queue":"a","queue":"b"}`, true, job.FieldError{Pointer: "/queue", Code: "duplicate_field", Message: `the field "queue" is given twice`}},
		{"duplicate by escape", `{"queue":"a","\u0071ueue":"b"}`, true, job.FieldError{Pointer: "/queue", Code: "duplicate_field", Message: `the field "queue" is given twice`}},
		{"duplicate in raw", `{"args":{"a":[{"b":1,"b":1}]}}`, true, job.FieldError{Pointer: "/args/a/0/b", Code: "duplicate_field", Message: `the field "b" is given twice`}},
		{"unknown", `{"quue":"a"}`, true, job.FieldError{Pointer: "/quue", Code: "unknown_field", Message: `unknown field "quue"; did you mean "queue"?`}},
		{"unknown far", `{"nested":{"a/b~":1}}`, true, job.FieldError{Pointer: "/nested/a~1b~0", Code: "unknown_field",
			Message: `unknown field "a/b~"; known are queue, attempts, small, unsigned, ratio, dry, limit, tags, headers, args, nested, any, run_at, blob`}},
		{"case", `{"Queue":"a"}`, true, job.FieldError{Pointer: "/Queue", Code: "unknown_field", Message: `unknown field "Queue"; did you mean "queue"?`}},
		{"__proto__", `{"__proto__":{}}`, true, job.FieldError{Pointer: "/__proto__", Code: "unknown_field",
			Message: `unknown field "__proto__"; known are queue, attempts, small, unsigned, ratio, dry, limit, tags, headers, args, nested, any, run_at, blob`}},
		{"string for integer", `{"attempts":"3"}`, true, job.FieldError{Pointer: "/attempts", Code: "wrong_type", Message: "want an integer, got a string"}},
		{"number for string", `{"queue":3}`, true, job.FieldError{Pointer: "/queue", Code: "wrong_type", Message: "want a string, got a number"}},
		{"string for bool", `{"dry":"true"}`, true, job.FieldError{Pointer: "/dry", Code: "wrong_type", Message: "want true or false, got a string"}},
		{"object for array", `{"tags":{}}`, true, job.FieldError{Pointer: "/tags", Code: "wrong_type", Message: "want an array, got an object"}},
		{"array for object", `{"headers":[]}`, true, job.FieldError{Pointer: "/headers", Code: "wrong_type", Message: "want an object, got an array"}},
		{"element", `{"tags":["a",true]}`, true, job.FieldError{Pointer: "/tags/1", Code: "wrong_type", Message: "want a string, got a boolean"}},
		{"pointer field", `{"limit":[]}`, true, job.FieldError{Pointer: "/limit", Code: "wrong_type", Message: "want an integer, got an array"}},
		{"number for time", `{"run_at":3}`, true, job.FieldError{Pointer: "/run_at", Code: "wrong_type", Message: "want a string, got a number"}},
		{"number for bytes", `{"blob":3}`, true, job.FieldError{Pointer: "/blob", Code: "wrong_type", Message: "want a string, got a number"}},
		{"top-level array", `[]`, true, job.FieldError{Code: "wrong_type", Message: "want an object, got an array"}},
		{"top-level string", `"a"`, true, job.FieldError{Code: "wrong_type", Message: "want an object, got a string"}},
		{"depth 33", `{"args":` + nested("[", "]", 32) + `}`, true, job.FieldError{Pointer: "/args" + strings.Repeat("/0", 31), Code: "too_deep", Message: "nested deeper than 32 levels"}},
		{"depth 100000", nested("[", "]", 100_000), true, job.FieldError{Pointer: strings.Repeat("/0", 32), Code: "too_deep", Message: "nested deeper than 32 levels"}},
		{"depth 100000 open", strings.Repeat("[", 100_000), true, job.FieldError{Pointer: strings.Repeat("/0", 32), Code: "too_deep", Message: "nested deeper than 32 levels"}},
		{"1001 keys", `{"args":` + keys(1001) + `}`, true, job.FieldError{Pointer: "/args", Code: "too_many_keys", Message: "has more than 1000 members"}},
		{"invalid UTF-8", "{\"queue\":\"a\xff\"}", true, job.FieldError{Pointer: "/queue", Code: "invalid_utf8", Message: "bytes that are not UTF-8 at line 1, column 12"}},
		{"overlong UTF-8", "{\"queue\":\"\xc0\x80\"}", true, job.FieldError{Pointer: "/queue", Code: "invalid_utf8", Message: "bytes that are not UTF-8 at line 1, column 11"}},
		{"lone surrogate", `{"queue":"\ud800"}`, true, job.FieldError{Pointer: "/queue", Code: "lone_surrogate", Message: "half a surrogate pair is escaped at line 1, column 11"}},
		{"low surrogate first", `{"queue":"\udc00\ud800"}`, true, job.FieldError{Pointer: "/queue", Code: "lone_surrogate", Message: "half a surrogate pair is escaped at line 1, column 11"}},
		{"1e400", `{"ratio":1e400}`, true, job.FieldError{Pointer: "/ratio", Code: "number_too_large", Message: "the number is too large; write it as a string"}},
		{"1e400 in raw", `{"args":{"n":-1e400}}`, true, job.FieldError{Pointer: "/args/n", Code: "number_too_large", Message: "the number is too large; write it as a string"}},
		{"400 digits", `{"args":` + strings.Repeat("9", 400) + `}`, true, job.FieldError{Pointer: "/args", Code: "number_too_large", Message: "the number is too large; write it as a string"}},
		{"NaN", `{"ratio":NaN}`, true, job.FieldError{Pointer: "/ratio", Code: "not_json", Message: "not JSON: unexpected 'N' at line 1, column 10"}},
		{"Infinity", `{"ratio":-Infinity}`, true, job.FieldError{Pointer: "/ratio", Code: "not_json", Message: "not JSON: unexpected 'I' at line 1, column 11"}},
		{"leading zero", `{"attempts":01}`, true, job.FieldError{Code: "not_json", Message: "not JSON: unexpected '1' at line 1, column 14"}},
		{"1.0", `{"attempts":1.0}`, true, job.FieldError{Pointer: "/attempts", Code: "not_an_integer", Message: "want an integer, written without a minus before zero, a fraction or an exponent"}},
		{"1e3", `{"unsigned":1e3}`, true, job.FieldError{Pointer: "/unsigned", Code: "not_an_integer", Message: "want an integer, written without a minus before zero, a fraction or an exponent"}},
		{"-0", `{"ratio":-0,"nested":{"limit": -0}}`, true, job.FieldError{Pointer: "/nested/limit", Code: "not_an_integer", Message: "want an integer, written without a minus before zero, a fraction or an exponent"}},
		{"2^63", `{"attempts":9223372036854775808}`, false, job.FieldError{Pointer: "/attempts", Code: "out_of_range", Message: "the number does not fit; want -9223372036854775808 to 9223372036854775807"}},
		{"int8", `{"small":128}`, false, job.FieldError{Pointer: "/small", Code: "out_of_range", Message: "the number does not fit; want -128 to 127"}},
		{"2^64", `{"unsigned":18446744073709551616}`, false, job.FieldError{Pointer: "/unsigned", Code: "out_of_range", Message: "the number does not fit; want 0 to 18446744073709551615"}},
		{"NUL", `{"queue":"a\u0000b"}`, false, job.FieldError{Pointer: "/queue", Code: "nul", Message: `holds the character \u0000, which is not allowed`}},
		{"NUL in name", `{"headers":{"a\\\u0000":"b"}}`, false, job.FieldError{Pointer: "/headers/a\\\x00", Code: "nul", Message: `holds the character \u0000, which is not allowed`}},
		{"NUL in raw", `{"args":[{"a":["\u0000"]}]}`, false, job.FieldError{Pointer: "/args/0/a/0", Code: "nul", Message: `holds the character \u0000, which is not allowed`}},
		{"NUL and malformed", `{"queue":"\u0000","x":1`, true, job.FieldError{Code: "not_json", Message: "not JSON: the text ends at line 1, column 24, in the middle of a value"}},
		{"NUL and unknown", `{"queue":"\u0000","qeue":1}`, true, job.FieldError{Pointer: "/qeue", Code: "unknown_field", Message: `unknown field "qeue"; did you mean "queue"?`}},
		{"February 30", `{"run_at":"2026-02-30T00:00:00Z"}`, false, job.FieldError{Pointer: "/run_at", Code: "invalid_value", Message: "want a time in RFC 3339, such as 2026-11-23T10:00:00Z"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := strictjson.Decode([]byte(tt.text), new(sample))
			var invalid *job.InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("Decode = %v, want an InvalidError", err)
			}
			want := &job.InvalidError{Malformed: tt.malformed, Fields: []job.FieldError{tt.want}}
			if diff := cmp.Diff(want, invalid); diff != "" {
				t.Errorf("Decode: -want +got\n%s", diff)
			}
			if got := strictjson.Malformed(tt.want.Code); got != tt.malformed {
				t.Errorf("Malformed(%q) = %v, want %v", tt.want.Code, got, tt.malformed)
			}
		})
	}
}

func TestDecodeTakes(t *testing.T) {
	t.Parallel()
	limit := 7
	tests := []struct {
		name, text string
		want       sample
	}{
		{"empty object", ` {} `, sample{}},
		{"2^53+1", `{"attempts":9007199254740993,"unsigned":18446744073709551615}`, sample{Attempts: 9007199254740993, Unsigned: 18446744073709551615}},
		{"nulls", `{"queue":null,"attempts":null,"limit":null,"tags":null}`, sample{}},
		{"raw is exact", `{"args": { "n" : 1.50 , "u":"\u00e9" } }`, sample{Args: json.RawMessage(`{ "n" : 1.50 , "u":"\u00e9" }`)}},
		{"raw null", `{"args":null}`, sample{Args: json.RawMessage(`null`)}},
		{"escaped backslash before u0000", `{"queue":"\\u0000"}`, sample{Queue: `\u0000`}},
		{"surrogate pair", `{"queue":"\ud83d\ude00"}`, sample{Queue: "\U0001F600"}},
		{"minus zero for a float", `{"ratio":-0.0,"limit":7}`, sample{Limit: &limit}},
		{"depth 32", `{"args":` + nested("[", "]", 31) + `}`, sample{Args: json.RawMessage(nested("[", "]", 31))}},
		{"1000 keys", `{"args":` + keys(1000) + `}`, sample{Args: json.RawMessage(keys(1000))}},
		{"1000 keys of strings", `{"args":` + strings.ReplaceAll(keys(1000), ":1", `:"1"`) + `}`, sample{Args: json.RawMessage(strings.ReplaceAll(keys(1000), ":1", `:"1"`))}},
		{"long array", `{"any":[` + strings.Repeat("1,", 1) + `2]}`, sample{Any: []any{1.0, 2.0}}},
		{"tiny number", `{"ratio":1e-400}`, sample{}},
		{"string of 64 KiB and more", `{"queue":"` + strings.Repeat("x", 65_537) + `"}`, sample{Queue: strings.Repeat("x", 65_537)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got sample
			if err := strictjson.Decode([]byte(tt.text), &got); err != nil {
				t.Fatalf("Decode = %v, want nil", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Decode: -want +got\n%s", diff)
			}
		})
	}
}

func TestDecodeAtPrefixesPointers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{`{"x":1}`: "/args/x", `[`: "/args", `{"queue":"\u0000"}`: "/args/queue"} {
		err := strictjson.DecodeAt("/args", []byte(text), new(sample))
		var invalid *job.InvalidError
		if !errors.As(err, &invalid) || invalid.Fields[0].Pointer != want {
			t.Errorf("DecodeAt(%s) = %v, want pointer %s", text, err, want)
		}
	}
}

func TestDecodeIntoWhatCannotBeDecodedInto(t *testing.T) {
	t.Parallel()
	err := strictjson.Decode([]byte(`{}`), sample{})
	var invalid *job.InvalidError
	if err == nil || errors.As(err, &invalid) {
		t.Errorf("Decode into a struct = %v, want an error that is not the text's fault", err)
	}
}

func TestJSONTextValueIsExact(t *testing.T) {
	t.Parallel()
	var got struct {
		V jsontext.Value `json:"v"`
	}
	if err := strictjson.Decode([]byte(`{"v": [ 1.0,  2 ]}`), &got); err != nil || string(got.V) != `[ 1.0,  2 ]` {
		t.Errorf("Decode = %q, %v, want the bytes as they are", got.V, err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	if err := strictjson.Check([]byte(`{"anything":[1,{"goes":null}]}`)); err != nil {
		t.Errorf("Check = %v, want nil", err)
	}
	if err := strictjson.Check([]byte(`{"a":"\u0000"}`)); !errors.Is(err, job.ErrInvalid) {
		t.Errorf("Check = %v, want ErrInvalid", err)
	}
	if err := strictjson.Check([]byte(`{"a":1,"a":2}`)); !errors.Is(err, job.ErrMalformed) {
		t.Errorf("Check = %v, want ErrMalformed", err)
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"order and space", ` { "b" : [ 1 , 2 ], "a" : { "d":null, "c":true } } `, `{"a":{"c":true,"d":null},"b":[1,2]}`},
		{"numbers by text", `[1, 1.0, 1e0, 9007199254740993, -0]`, `[1,1.0,1e0,9007199254740993,-0]`},
		{"strings escaped alike", `["\u0061\/\u00e9"]`, `["a/é"]`},
		{"not JSON", `{`, ``},
	}
	for _, tt := range tests {
		text := []byte(tt.text)
		if got := string(strictjson.Canonical(text)); got != tt.want {
			t.Errorf("%s: Canonical(%s) = %s, want %s", tt.name, tt.text, got, tt.want)
		}
		if string(text) != tt.text {
			t.Errorf("%s: Canonical changed its argument to %s", tt.name, text)
		}
	}
}

func TestMembersAndElements(t *testing.T) {
	t.Parallel()
	text := []byte(` { "b\u0061" : [ 1 , {"x":[]} ] , "a":"s" , "c":{} } `)
	var got []string
	for name, value := range strictjson.Members(text) {
		got = append(got, name, string(value))
		for i, element := range strictjson.Elements(value) {
			got = append(got, fmt.Sprint(i), string(element))
		}
	}
	want := []string{"ba", `[ 1 , {"x":[]} ]`, "0", "1", "1", `{"x":[]}`, "a", `"s"`, "c", `{}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Members and Elements: -want +got\n%s", diff)
	}
	for _, other := range []string{``, `null`, `"a"`, `7`, `[]`, `{}`} {
		for name := range strictjson.Members([]byte(other)) {
			t.Errorf("Members(%s) has %q, want none", other, name)
		}
		for i := range strictjson.Elements([]byte(other)) {
			t.Errorf("Elements(%s) has %d, want none", other, i)
		}
	}
	for range strictjson.Members(text) {
		break
	}
}

func TestDidYouMean(t *testing.T) {
	t.Parallel()
	known := []string{"db.select_one", "db.select_many", "http.request"}
	for name, want := range map[string]string{
		"db.select_on":           `; did you mean "db.select_one"?`,
		"db.selcet_many":         `; did you mean "db.select_many"?`,
		"HTTP.request":           `; did you mean "http.request"?`,
		"mail.send":              "",
		"":                       "",
		strings.Repeat("x", 100): "",
	} {
		if got := strictjson.DidYouMean(name, known); got != want {
			t.Errorf("DidYouMean(%q) = %q, want %q", name, got, want)
		}
	}
}
