package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// pagesPath is where tests have pages, which no document describes.
const pagesPath = "/ops/ui"

// document is the OpenAPI document, loaded and found valid.
var document = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(openapi3.NewLoader().Context, openapi3.IsOpenAPI31OrLater())
})

var documentRouter = sync.OnceValues(func() (routers.Router, error) {
	doc, err := document()
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

// checkAgainstDocument holds an answer, and a request that was not refused,
// against the document.
func checkAgainstDocument(t testing.TB, r *http.Request, body string, resp *http.Response, got []byte) {
	t.Helper()
	router, err := documentRouter()
	if err != nil {
		t.Fatal(err)
	}
	look := r.Clone(r.Context())
	look.URL = &url.URL{Path: r.URL.Path, RawQuery: r.URL.RawQuery}
	look.Body, look.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	if look.Method == http.MethodHead {
		return
	}
	route, params, err := router.FindRoute(look)
	if err != nil {
		if resp.StatusCode < 400 && r.Method != http.MethodOptions && !strings.HasPrefix(r.URL.Path, pagesPath) {
			t.Errorf("%s %s answered %d and is not in the document: %v", r.Method, r.URL.Path, resp.StatusCode, err)
		}
		return
	}
	options := &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}
	input := &openapi3filter.RequestValidationInput{Request: look, PathParams: params, Route: route, Options: options}
	if resp.StatusCode < 300 && r.Header.Get("Content-Encoding") == "" {
		if err := openapi3filter.ValidateRequest(t.Context(), input); err != nil {
			t.Errorf("%s %s: the request is not as the document says: %v", r.Method, r.URL, err)
		}
	}
	if resp.Header.Get("Content-Encoding") != "" {
		return
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: resp.StatusCode, Header: resp.Header,
		Body: io.NopCloser(bytes.NewReader(got)), Options: options,
	})
	if err != nil {
		t.Errorf("%s %s: the answer %d is not as the document says: %v", r.Method, r.URL, resp.StatusCode, err)
	}
}

func TestDocumentIsValid(t *testing.T) {
	t.Parallel()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi = %q, want 3.1.0", doc.OpenAPI)
	}
}

func TestDocumentHasTheRoutes(t *testing.T) {
	t.Parallel()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	f := start(t)
	routes := f.server.Routes()
	if got := f.server.RegisteredRoutes(); got != len(routes) {
		t.Errorf("echo has %d routes, want the %d of the table", got, len(routes))
	}
	var documented []string
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			line := method + " " + path
			documented = append(documented, line)
			var want api.Scope
			if op.Security != nil && len(*op.Security) > 0 {
				want = api.Scope((*op.Security)[0]["apiKey"][0])
			}
			if got := f.server.ScopeOf(line); got != want {
				t.Errorf("%s needs the scope %q, want %q as in the document", line, got, want)
			}
		}
	}
	slices.Sort(routes)
	slices.Sort(documented)
	if !slices.Equal(routes, documented) {
		t.Errorf("routes = %q\nwant those of the document %q", routes, documented)
	}
}

func TestDocumentHasTheWords(t *testing.T) {
	t.Parallel()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, d := range tasks.Definitions() {
		kinds = append(kinds, string(d.Name))
	}
	problem := doc.Components.Schemas["Problem"].Value.Properties["code"].Value
	for _, tt := range []struct {
		name string
		got  []any
		want []string
	}{
		{"State", doc.Components.Schemas["State"].Value.Enum, texts(job.States())},
		{"ErrorCode", doc.Components.Schemas["ErrorCode"].Value.Enum, texts(job.Codes())},
		{"Kind", doc.Components.Schemas["Kind"].Value.Examples, kinds},
		{"Problem.code", problem.Examples, api.ProblemCodes()},
	} {
		if got := words(tt.got); !slices.Equal(got, tt.want) {
			t.Errorf("%s = %q\nwant %q", tt.name, got, tt.want)
		}
	}
	counts := doc.Components.Schemas["Queue"].Value.Properties["counts"].Value
	for _, state := range job.States() {
		if !slices.Contains(counts.Required, string(state)) {
			t.Errorf("Queue.counts does not require %q", state)
		}
	}
}

func words(list []any) []string {
	var out []string
	for _, v := range list {
		out = append(out, v.(string))
	}
	return out
}

func texts[T ~string](list []T) []string {
	var out []string
	for _, v := range list {
		out = append(out, string(v))
	}
	return out
}

func TestDocumentIsServed(t *testing.T) {
	t.Parallel()
	f := start(t)
	got := f.do(t, "GET", "/openapi.json", "")
	if got.Status != 200 || !json.Valid([]byte(got.Body)) || got.Body != string(api.OpenAPI()) {
		t.Errorf("GET /openapi.json = %d, %d bytes, want the document", got.Status, len(got.Body))
	}
}
