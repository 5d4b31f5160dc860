package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

// exampleServer stands in for an asyncops server.
func exampleServer() *httptest.Server {
	mux := http.NewServeMux()
	answer := func(pattern string, status int, body string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if status >= 400 {
				w.Header().Set("Content-Type", "application/problem+json")
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
	}
	answer("POST /v1/jobs", 200, `{"id":"0192f7a0-0000-7000-8000-000000000001","kind":"db.insert_one","state":"completed","result":{"id":7,"rows_affected":1}}`)
	answer("POST /v1/jobs/batch", 202, `{"accepted":1,"rejected":1,"items":[{"id":"0192f7a0-0000-7000-8000-000000000001"},{"error":{"status":422,"code":"unknown_kind","detail":"no kind db.upsert"}}]}`)
	answer("GET /v1/jobs", 200, `{"items":[{"id":"0192f7a0-0000-7000-8000-000000000001","kind":"http.request","state":"archived","error":{"code":"exhausted","message":"10 attempts failed"}}],"next_cursor":""}`)
	answer("POST /v1/jobs/{id}/cancel", 409, `{"status":409,"code":"terminal","detail":"the job has ended"}`)
	answer("GET /v1/databases/{name}", 200, `{"name":"main","driver":"postgres","health":{"status":"degraded","effects":"present","detail":"fsync is off: set fsync = on in postgresql.conf"},"pool":{"in_use":50,"max":50,"workers":[]},"parked":1200}`)
	answer("POST /v1/clients/{name}/breaker/reset", 200, `{"name":"crm","health":{"status":"ok"},"breaker":{"state":"closed","failures":0},"parked":340}`)
	answer("POST /v1/schedules", 201, `{"name":"nightly","cron":"0 3 * * *","timezone":"Europe/Berlin","next_fires":["2026-11-24T02:00:00Z","2026-11-25T02:00:00Z"]}`)
	answer("GET /v1/alerts", 200, `{"items":[{"rule":"target_down","state":"firing","about":{"type":"database","name":"main"},"value":1,"threshold":null,"since":"2026-11-23T09:59:30Z","fired_at":"2026-11-23T10:00:00Z","resolved_at":null,"seen_at":"2026-11-23T10:00:05Z","summary":"database main fails its health check","remedy":"See its detail in GET /v1/databases."}],"seen_at":"2026-11-23T10:00:05Z"}`)
	return httptest.NewServer(mux)
}

func ExampleClient_SubmitWait() {
	server := exampleServer()
	defer server.Close()
	client, err := sdk.New(server.URL, "", sdk.Options{})
	if err != nil {
		panic(err)
	}
	defer client.Close()

	receipt, err := client.SubmitWait(context.Background(), sdk.Submission{
		Kind:           "db.insert_one",
		Args:           map[string]any{"table": "users", "values": map[string]any{"name": "Ada"}},
		IdempotencyKey: "signup-ada",
	}, 10*time.Second)
	if err != nil {
		panic(err)
	}
	fmt.Println(receipt.Job.State, string(receipt.Job.Result))
	// Output: completed {"id":7,"rows_affected":1}
}

func ExampleClient_SubmitBatch() {
	server := exampleServer()
	defer server.Close()
	client, err := sdk.New(server.URL, "", sdk.Options{})
	if err != nil {
		panic(err)
	}
	defer client.Close()

	jobs := []sdk.Submission{{Kind: "db.insert_one"}, {Kind: "db.upsert"}}
	result, err := client.SubmitBatch(context.Background(), slices.Values(jobs), sdk.BatchOptions{})
	if err != nil {
		panic(err)
	}
	for i, item := range result.Items {
		if item.Error != nil {
			fmt.Printf("%s: %v\n", jobs[i].Kind, item.Error)
			continue
		}
		fmt.Printf("%s: %s\n", jobs[i].Kind, item.ID)
	}
	// Output:
	// db.insert_one: 0192f7a0-0000-7000-8000-000000000001
	// db.upsert: 422 unknown_kind: no kind db.upsert
}

func ExampleClient_List() {
	server := exampleServer()
	defer server.Close()
	client, err := sdk.New(server.URL, "", sdk.Options{})
	if err != nil {
		panic(err)
	}
	defer client.Close()

	dead := sdk.Filter{States: []job.State{job.Archived}, CreatedAfter: time.Now().Add(-time.Hour)}
	for j, err := range client.List(context.Background(), dead) {
		if err != nil {
			panic(err)
		}
		fmt.Println(j.Kind, j.Error.Code, j.Error.Message)
	}
	// Output: http.request exhausted 10 attempts failed
}

func ExampleProblem() {
	server := exampleServer()
	defer server.Close()
	client, err := sdk.New(server.URL, "", sdk.Options{})
	if err != nil {
		panic(err)
	}
	defer client.Close()

	_, err = client.Cancel(context.Background(), "0192f7a0-0000-7000-8000-000000000001")
	fmt.Println(errors.Is(err, job.ErrTerminal))
	fmt.Println(err)
	// Output:
	// true
	// sdk: POST /v1/jobs/0192f7a0-0000-7000-8000-000000000001/cancel: 409 terminal: the job has ended
}

func ExampleClient_Database() {
	server := exampleServer()
	defer server.Close()
	client, err := sdk.New(server.URL, "", sdk.Options{})
	if err != nil {
		panic(err)
	}
	defer client.Close()

	db, err := client.Database(context.Background(), "main")
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s is %s: %s\n", db.Name, db.Health.Status, db.Health.Detail)
	fmt.Printf("%d of %d in use, %d jobs wait for room\n", db.Pool.InUse, db.Pool.Max, db.Parked)
	// Output:
	// main is degraded: fsync is off: set fsync = on in postgresql.conf
	// 50 of 50 in use, 1200 jobs wait for room
}

func ExampleClient_ResetBreaker() {
	server := exampleServer()
	defer server.Close()
	client, err := sdk.New(server.URL, "", sdk.Options{})
	if err != nil {
		panic(err)
	}
	defer client.Close()

	crm, err := client.ResetBreaker(context.Background(), "crm")
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s: breaker %s, %d jobs go on\n", crm.Name, crm.Breaker.State, crm.Parked)
	// Output: crm: breaker closed, 340 jobs go on
}

func ExampleClient_CreateSchedule() {
	server := exampleServer()
	defer server.Close()
	client, err := sdk.New(server.URL, "", sdk.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	made, err := client.CreateSchedule(context.Background(), sdk.ScheduleSpec{
		Name: "nightly", Cron: "0 3 * * *", Timezone: "Europe/Berlin", Missed: job.MissedOnce,
		Job: sdk.Submission{Kind: "db.delete_many", Args: map[string]any{"table": "sessions", "where": map[string]any{"state": "closed"}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(made.Name, "fires next at", made.NextFires[0].Format(time.RFC3339))
	// Output: nightly fires next at 2026-11-24T02:00:00Z
}

func ExampleClient_Alerts() {
	server := exampleServer()
	defer server.Close()
	client, err := sdk.New(server.URL, "", sdk.Options{})
	if err != nil {
		panic(err)
	}
	defer client.Close()

	alerts, err := client.Alerts(context.Background())
	if err != nil {
		panic(err)
	}
	for _, a := range alerts {
		fmt.Println(a.State, a.Rule, a.About, a.Since.Format(time.TimeOnly), a.ResolvedAt.IsZero())
		fmt.Println(a.Summary)
	}
	// Output:
	// firing target_down database main 09:59:30 true
	// database main fails its health check
}
