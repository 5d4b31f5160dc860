package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
	"github.com/google/go-cmp/cmp"
)

// FuzzDecode holds Decode to what the package promises: it never panics, its
// errors are InvalidErrors, and what it accepts encoding/json accepts with
// equal values.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"queue":"a","attempts":3,"ratio":1.5,"dry":true,"limit":-1,"tags":["x"],"headers":{"a":"b"}}`,
		`{"args":{"n":1},"nested":{"any":[null,1e3,"\ud83d\ude00"]}}`, `{"queue":"\u0000"}`, `{"a":1,"a":2}`,
		`{"attempts":-0}`, `{"ratio":1e400}`, "{\"queue\":\"\xff\"}", `{}{}`, `{"run_at":"2026-11-23T10:00:00Z","blob":"aGk="}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want sample
		err := strictjson.Decode(data, &got)
		checked := strictjson.Check(data)
		if err != nil {
			var invalid *job.InvalidError
			if !errors.As(err, &invalid) || len(invalid.Fields) != 1 || invalid.Malformed != strictjson.Malformed(invalid.Fields[0].Code) {
				t.Fatalf("Decode(%q) = %#v, want an InvalidError about one field, of its code's class", data, err)
			}
			return
		}
		if checked != nil {
			t.Fatalf("Decode(%q) = nil, and Check = %v", data, checked)
		}
		std := json.NewDecoder(bytes.NewReader(data))
		std.DisallowUnknownFields()
		if err := std.Decode(&want); err != nil {
			t.Fatalf("Decode(%q) = nil, encoding/json: %v", data, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("Decode(%q): -encoding/json +got\n%s", data, diff)
		}
	})
}

// FuzzCanonical holds the canonical form to its purpose: it is stable and
// means the same.
func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"b":[1,1.0],"a":{"x":null}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if strictjson.Check(data) != nil {
			return
		}
		once := strictjson.Canonical(data)
		if again := strictjson.Canonical(once); !bytes.Equal(once, again) {
			t.Fatalf("Canonical(%q) = %q, and again %q", data, once, again)
		}
		var before, after any
		if json.Unmarshal(data, &before) != nil || json.Unmarshal(once, &after) != nil || !cmp.Equal(before, after) {
			t.Fatalf("Canonical(%q) = %q, which means something else", data, once)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	small := []byte(`{"queue":"default","attempts":3,"tags":["billing"],"args":{"database":"main","table":"users","values":{"name":"Ada","email":"ada@example.com"}}}`)
	large := []byte(`{"args":[` + strings.Repeat(`{"id":123456,"name":"somebody","active":true},`, 20_000) + `{}]}`)
	for name, data := range map[string][]byte{"small": small, "1MiB": large} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := strictjson.Decode(data, new(sample)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/encoding_json", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := json.Unmarshal(data, new(sample)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
