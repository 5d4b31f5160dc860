package tasks_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/tasks"
	"github.com/google/go-cmp/cmp"
)

func TestNewHTTPResult(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := []struct{ name, contentType, body, want string }{
		{"JSON", "application/json; charset=utf-8", " {\"a\" : 1.50}\n", `"body":{"a":1.50}`},
		{"problem", "application/problem+json", `{"status":404}`, `"body":{"status":404}`},
		{"JSON null", "application/json", `null`, `"body":null`},
		{"names twice", "application/json", `{"a":1,"a":2}`, `"body":{"a":1,"a":2}`},
		{"not JSON after all", "application/json", `{"a":`, `"text":"{\"a\":"`},
		{"two values", "application/json", `1 2`, `"text":"1 2"`},
		{"deep", "application/json", deep(512), `"body":` + deep(512)},
		{"too deep", "application/json", deep(513), `"text":"` + deep(513) + `"`},
		{"JSON that is not said to be", "text/plain", `{"a":1}`, `"text":"{\"a\":1}"`},
		{"text", "text/plain", "grüß", `"text":"grüß"`},
		{"no content type", "", "hi", `"text":"hi"`},
		{"empty", "application/json", "", `"text":""`},
		{"bytes", "text/plain", "\xff\xfe", `"base64":"//4="`},
		{"NUL", "text/plain", "a\x00", `"base64":"YQA="`},
		{"JSON that is not UTF-8", "application/json", "\"\xff\"", `"base64":"Iv8i"`},
	}
	definition, _ := tasks.Lookup("http.request")
	schema := compile(t, "result", definition.ResultSchema)
	for _, tt := range tests {
		headers := map[string]string{"content-type": tt.contentType}
		result := tasks.NewHTTPResult(httpop.Response{Status: 200, Headers: headers, Body: []byte(tt.body), Duration: 1500 * time.Microsecond, Sends: 2})
		got, err := json.Marshal(result)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		want := `{"status":200,"headers":{"content-type":"` + tt.contentType + `"},` + tt.want + `,"duration_ms":1,"cached":false,"sends":2}`
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s: NewHTTPResult: -want +got\n%s", tt.name, diff)
		}
		if err := validate(t, schema, got); err != nil {
			t.Errorf("%s: the result does not fit its schema: %v", tt.name, err)
		}
	}
}

func TestNewHTTPResultWithoutHeaders(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(tasks.NewHTTPResult(httpop.Response{Status: 204}))
	want := `{"status":204,"headers":{},"text":"","duration_ms":0,"cached":false,"sends":0}`
	if err != nil || string(got) != want {
		t.Errorf("NewHTTPResult = %s, %v, want %s", got, err, want)
	}
}
