package clients_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/clients/clientstest"
	"github.com/asyncops/asyncops/httpop"
)

// inFlight is how many calls the benchmarks have under way.
const inFlight = 64

// BenchmarkGet calls an upstream on loopback with a Client and, for
// comparison, with a bare http.Transport of the same size. ratio runs both in
// turn and reports how much of the bare one's throughput a Client reaches.
func BenchmarkGet(b *testing.B) {
	u := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":7,"name":"Ada","email":"ada@example.com"}`)
	}))
	defer u.Close()
	bare, closeBare := bareGet(b, u.URL)
	defer closeBare()
	c := openBench(b, u.URL)
	get := httpop.Request{Method: "GET", Path: "/users/7"}
	client := func() error { _, err := c.Do(b.Context(), get); return err }
	b.Run("bare", func(b *testing.B) { callAll(b, b.N, bare) })
	b.Run("client", func(b *testing.B) { callAll(b, b.N, client) })
	b.Run("ratio", func(b *testing.B) {
		const turns = 8 // what disturbs the machine disturbs both
		var took [2]time.Duration
		for range turns {
			for i, call := range []func() error{bare, client} {
				began := time.Now()
				callAll(b, max(b.N/turns, 1), call)
				took[i] += time.Since(began)
			}
		}
		b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "ratio")
	})
}

// BenchmarkGetCached gets what is kept, and what an upstream answers after a
// millisecond. ratio runs both in turn and reports how many of the kept ones
// take as long as one of the others.
func BenchmarkGetCached(b *testing.B) {
	u := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		timer := time.NewTimer(time.Millisecond)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":7,"name":"Ada","email":"ada@example.com"}`)
	}))
	defer u.Close()
	c := openBench(b, u.URL, func(cfg *clients.Config) { cfg.Cache.In = clientstest.NewCache(b) })
	kept := httpop.Request{Method: "GET", Path: "/users/7", Cache: &httpop.Cache{Key: "user-7", TTL: time.Hour}}
	sent := httpop.Request{Method: "GET", Path: "/users/7"}
	get := func(b *testing.B, r httpop.Request, cached bool) {
		b.Helper()
		if resp, err := c.Do(b.Context(), r); err != nil || resp.Cached != cached {
			b.Fatalf("Do = %+v, %v; want cached %t", resp, err, cached)
		}
	}
	get(b, kept, false)
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			get(b, kept, true)
		}
	})
	b.Run("sent", func(b *testing.B) {
		for b.Loop() {
			get(b, sent, false)
		}
	})
	b.Run("ratio", func(b *testing.B) {
		const more = 100 // of the kept ones for each of the others
		var took [2]time.Duration
		for b.Loop() {
			began := time.Now()
			get(b, sent, false)
			took[0] += time.Since(began)
			began = time.Now()
			for range more {
				get(b, kept, true)
			}
			took[1] += time.Since(began)
		}
		b.ReportMetric(more*took[0].Seconds()/took[1].Seconds(), "ratio")
	})
}

// callAll makes n calls, inFlight at a time.
func callAll(b *testing.B, n int, call func() error) {
	b.Helper()
	b.ReportAllocs()
	var left atomic.Int64
	left.Store(int64(n))
	var workers sync.WaitGroup
	for range inFlight {
		workers.Go(func() {
			for left.Add(-1) >= 0 {
				if err := call(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
}

func bareGet(b *testing.B, base string) (get func() error, stop func()) {
	b.Helper()
	transport := &http.Transport{
		DialContext: (&net.Dialer{}).DialContext, MaxIdleConns: inFlight, MaxIdleConnsPerHost: inFlight, MaxConnsPerHost: inFlight, DisableCompression: true,
	}
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	return func() error {
		resp, err := client.Get(base + "/users/7")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
		return err
	}, transport.CloseIdleConnections
}

func openBench(b *testing.B, base string, edit ...func(*clients.Config)) *clients.Client {
	b.Helper()
	cfg := clients.Config{Name: "up", BaseURL: base, AllowNetworks: loopback, Pool: clients.Pool{MaxIdle: inFlight, MaxConnections: inFlight}}
	for _, f := range edit {
		f(&cfg)
	}
	c, err := clients.Open(cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c
}
