package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
)

// noLedger accepts everything and keeps nothing.
type noLedger struct{ *fakeLedger }

func (noLedger) Accept(_ context.Context, jobs []job.Job, _ bool) ([]job.Accepted, error) {
	answers := make([]job.Accepted, len(jobs))
	for i := range jobs {
		answers[i].Job = jobs[i]
	}
	return answers, nil
}

// silent observes nothing.
type silent struct{}

func (silent) Request(string, string, int, float64) {}
func (silent) Submitted(string, string, int)        {}

func withoutLedger(_ *api.Config, deps *api.Deps) {
	deps.Ledger, deps.Observer = noLedger{newFakeLedger()}, silent{}
}

// BenchmarkSubmit is the work on one submission without the network.
func BenchmarkSubmit(b *testing.B) {
	for _, bb := range []struct{ name, path, body, header string }{
		{"insert", "/v1/jobs", insert, ""},
		{"insert with key", "/v1/jobs", insert, "0199d2c4-7b1e-7c3a-9d51-2f6f0c1a4e77"},
		{"refused", "/v1/jobs", `{"kind":"nope"}`, ""},
		{"batch of 100", "/v1/jobs/batch", "[" + strings.Repeat(insert+",", 99) + insert + "]", ""},
	} {
		b.Run(bb.name, func(b *testing.B) {
			f := start(b, withoutLedger)
			h := f.server.Handler()
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), "POST", bb.path, strings.NewReader(bb.body))
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Authorization", "Bearer "+submitterKey)
				if bb.header != "" {
					r.Header.Set("Idempotency-Key", bb.header)
				}
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}

// BenchmarkSubmitTCP is single submissions over 64 connections that are kept;
// the callers run on the same processors.
func BenchmarkSubmitTCP(b *testing.B) {
	f := start(b, withoutLedger)
	request := fmt.Appendf(nil, "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		submitterKey, len(insert), insert)
	b.SetParallelism(32) // times GOMAXPROCS, which is 2 where this was tuned
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", f.server.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		answers := bufio.NewReader(conn)
		for pb.Next() {
			if _, err := conn.Write(request); err != nil {
				b.Error(err)
				return
			}
			resp, err := http.ReadResponse(answers, nil)
			if err != nil || resp.StatusCode != http.StatusAccepted {
				b.Errorf("answer %+v, %v", resp, err)
				return
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}
