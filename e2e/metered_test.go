package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// metered is an API that notes when its requests came and, while it is down,
// fails them.
type metered struct {
	server *httptest.Server

	mu       sync.Mutex
	down     bool      // guarded by mu
	arrivals []arrival // guarded by mu; in their order
}

// arrival is one request.
type arrival struct {
	at     time.Time
	path   string
	failed bool
}

func startMetered(t testing.TB) *metered {
	t.Helper()
	m := &metered{}
	m.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		a := arrival{time.Now(), r.URL.Path, m.down}
		m.arrivals = append(m.arrivals, a)
		m.mu.Unlock()
		if a.failed {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(m.server.Close)
	return m
}

// client is the settings of a client of it.
func (m *metered) client(more object) object {
	c := object{"base_url": m.server.URL, "allow_networks": []string{"127.0.0.0/8"}}
	for name, value := range more {
		c[name] = value
	}
	return c
}

// setDown makes it fail, or answer again.
func (m *metered) setDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// since is what came at or after a time.
func (m *metered) since(t time.Time) []arrival {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []arrival
	for _, a := range m.arrivals {
		if !a.at.Before(t) {
			found = append(found, a)
		}
	}
	return found
}

// mostIn is the most requests that came in any window of the length.
func mostIn(arrivals []arrival, window time.Duration) int {
	most, first := 0, 0
	for last := range arrivals {
		for arrivals[last].at.Sub(arrivals[first].at) > window {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// aheadOf is by how many requests they ever were ahead of a limit that lets out
// so many a second and a burst at first. Unlike the number in a window, which
// grows when requests were held up on their way, it is not above zero unless too
// many were let out.
func aheadOf(arrivals []arrival, rate, burst float64) float64 {
	ahead := 0.0
	for i, a := range arrivals {
		ahead = max(ahead, float64(i+1)-burst-rate*a.at.Sub(arrivals[0].at).Seconds())
	}
	return ahead
}
