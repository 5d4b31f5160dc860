package web_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/asyncops/asyncops"
	"github.com/asyncops/asyncops/examples/web"
)

// configuration is that of the example: all in one process, so that nothing
// needs to be installed. A program beside workers has redis.url and the ledger
// of theirs, and is not Standalone.
const configuration = `
ledger: {dsn: "sqlite:FOLDER/ledger.db"}
redis: {url: none}
databases:
  main:
    dsn: "sqlite:FOLDER/main.db"
    tables: {users: {write: true}, readings: {write: true}}
clients:
  crm: {base_url: "CRM", allow_networks: [127.0.0.0/8], max_retries: 0}
`

// serve runs the example's server. stop stops it and what it uses.
func serve(ctx context.Context) (url string, stop func() error, err error) {
	folder, err := os.MkdirTemp("", "web")
	if err != nil {
		return "", nil, err
	}
	crm := httptest.NewServer(http.HandlerFunc(answerAsCRM))
	path := filepath.Join(folder, "asyncops.yaml")
	text := strings.NewReplacer("FOLDER", folder, "CRM", crm.URL).Replace(configuration)
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), makeTables(filepath.Join(folder, "main.db"))); err != nil {
		return "", nil, err
	}
	app, err := asyncops.Open(path, asyncops.Standalone(), asyncops.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return "", nil, err
	}
	if err := app.Start(ctx); err != nil {
		return "", nil, errors.Join(err, app.Close())
	}
	server := httptest.NewServer(web.New(app))
	return server.URL, func() error {
		server.Close() // first: its requests use the App
		err := app.Close()
		crm.Close()
		http.DefaultClient.CloseIdleConnections()
		return errors.Join(err, os.RemoveAll(folder))
	}, nil
}

// makeTables makes the schema, as a migration does.
func makeTables(path string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	_, err = db.Exec(web.Schema)
	return errors.Join(err, db.Close())
}

// answerAsCRM is somebody else's server: it knows one sensor and one city.
func answerAsCRM(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Path == "/v1/lookup" && strings.Contains(string(body), "roof"):
		_, _ = fmt.Fprint(w, `{"sensor":"roof","owner":"Ada"}`)
	case r.URL.Path == "/v1/weather" && r.URL.Query().Get("city") == "London":
		_, _ = fmt.Fprint(w, `{"degrees":11}`)
	default:
		http.Error(w, `{"error":"nobody has told me"}`, http.StatusNotFound)
	}
}

// call makes a request and prints its answer; of a problem only the code.
func call(method, url, body string, header http.Header) (*http.Response, []byte) {
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		fmt.Println(err)
		return nil, nil
	}
	r.Header = http.Header{"Content-Type": {"application/json"}}
	for name, values := range header {
		r.Header[name] = values
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		fmt.Println(err)
		return nil, nil
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	var problem struct{ Code, Detail string }
	switch {
	case res.Header.Get("Content-Type") == "application/problem+json" && json.Unmarshal(text, &problem) == nil:
		fmt.Println(res.StatusCode, problem.Code+": "+problem.Detail)
	case res.Header.Get("Location") == "":
		fmt.Println(res.StatusCode, strings.TrimSpace(string(text)))
	}
	return res, text
}

func ExampleNew() {
	url, stop, err := serve(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	call("GET", url+"/users/1", "", nil)
	call("GET", url+"/users/1", "", nil) // from the cache
	call("GET", url+"/users/99", "", nil)
	call("GET", url+"/users/ada", "", nil)
	call("GET", url+"/users?city=Paris", "", nil)

	call("POST", url+"/external-data", `{"sensor":"roof"}`, nil)
	call("POST", url+"/external-data", `{"sensor":"cellar"}`, nil)
	call("GET", url+"/weather/London", "", nil)

	res, text := call("POST", url+"/process-data", `{"sensor":"roof","value":11.5}`, http.Header{"Idempotency-Key": {"reading-1"}})
	var job struct {
		ID, State string
		Result    json.RawMessage
	}
	fmt.Println(res.StatusCode, json.Unmarshal(text, &job), res.Header.Get("Location") == "/jobs/"+job.ID)
	_, text = call("POST", url+"/process-data", `{"sensor":"roof","value":11.5}`, http.Header{"Idempotency-Key": {"reading-1"}, "Prefer": {"wait=30"}})
	fmt.Println(json.Unmarshal(text, &job), job.State, string(job.Result))

	fmt.Println("stopped:", stop())
	// Output:
	// 200 {"id":1,"name":"Ada","city":"London"}
	// 200 {"id":1,"name":"Ada","city":"London"}
	// 404 not_found: there is no such thing, or it is no longer kept
	// 400 malformed: id: failed to bind field value to int64
	// 200 [{"id":2,"name":"Bob","city":"Paris"}]
	// 200 {"sensor":"roof","owner":"Ada"}
	// 502 upstream_status: the server that was asked for this did not answer as it should
	// 200 {"degrees":11}
	// 202 <nil> true
	// <nil> completed {"id":1,"rows_affected":1}
	// stopped: <nil>
}
