package fleet_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/asyncops/asyncops/fleet"
	"github.com/asyncops/asyncops/internal/testkit"
)

// connect opens a client of a Redis server.
func connect(t *testing.T, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, DialTimeout: time.Second, ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// sent is a request that is on its way.
type sent struct {
	version int64
	holder  string // "" for one without a slot
}

// model is what breaker.lua is to do.
type model struct {
	threshold, slots  int
	timeout           int64
	state             fleet.State
	failures, well    int
	openUntil         int64
	probes            map[string]int64 // by when they end
	version           int64
	opened, closed    int
	probesInThisPhase int
}

func (m *model) move(to fleet.State, now int64) {
	m.state, m.well, m.probes = to, 0, map[string]int64{}
	switch to {
	case fleet.Closed:
		m.failures, m.closed = 0, m.closed+1
	case fleet.Open:
		m.openUntil, m.opened = now+m.timeout, m.opened+1
	case fleet.HalfOpen:
		m.probesInThisPhase = 0
	}
}

// The script does what the model does, whoever says what and when; in
// particular, no more are let out to look than there are slots, holders that
// died give theirs back, and results from before a move count for nothing.
func TestBreakerScript(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.Redis(t).Addr())
	names := 0
	rapid.Check(t, func(t *rapid.T) {
		names++
		m := &model{
			threshold: rapid.IntRange(1, 4).Draw(t, "threshold"), slots: rapid.IntRange(1, 3).Draw(t, "slots"),
			timeout: int64(rapid.IntRange(10, 500).Draw(t, "timeout")), probes: map[string]int64{},
		}
		s := fleet.NewScript(fleet.Config{
			Name: "c" + strconv.Itoa(names), Breaker: fleet.Breaker{Threshold: m.threshold, Timeout: time.Duration(m.timeout) * time.Millisecond, HalfOpenRequests: m.slots},
		}, conn)
		now := int64(1_700_000_000_000)
		var sends []sent
		holders := 0
		ask := func(verb, holder string, number int64) fleet.Told {
			got, err := s.Ask(t.Context(), verb, holder, number, now)
			if err != nil {
				t.Fatal(err)
			}
			if got.State != m.state || m.state == fleet.Closed && got.Failures != m.failures {
				t.Fatalf("%s %q: the breaker is %s after %d failures, want %s after %d", verb, holder, got.State, got.Failures, m.state, m.failures)
			}
			if (got.Version != m.version) != got.Moved && m.version != 0 {
				t.Fatalf("%s: version %d after %d, moved %v", verb, got.Version, m.version, got.Moved)
			}
			if got.Version < m.version {
				t.Fatalf("%s: version %d after %d, want it to grow", verb, got.Version, m.version)
			}
			m.version = got.Version
			return got
		}
		ask("look", "", 0)
		holds := func(holder string) bool { _, ok := m.probes[holder]; return holder != "" && ok }
		t.Repeat(map[string]func(*rapid.T){
			"time passes": func(t *rapid.T) { now += int64(rapid.IntRange(1, 400).Draw(t, "ms")) },
			"send": func(*rapid.T) {
				if m.state == fleet.Closed {
					sends = append(sends, sent{version: m.version})
				}
			},
			"probe": func(t *rapid.T) {
				length := int64(rapid.IntRange(50, 300).Draw(t, "length"))
				holders++
				holder := fmt.Sprint("h", holders)
				if m.state == fleet.Open && now >= m.openUntil {
					m.move(fleet.HalfOpen, now)
				}
				granted := m.state == fleet.Closed
				if m.state == fleet.HalfOpen {
					for h, until := range m.probes {
						if until <= now {
							delete(m.probes, h)
						}
					}
					if granted = len(m.probes)+m.well < m.slots; granted {
						m.probes[holder] = now + length
					}
				}
				got := ask("probe", holder, length)
				if got.Granted != granted {
					t.Fatalf("slot granted %v, want %v: %d of %d are taken, %d went well", got.Granted, granted, len(m.probes), m.slots, m.well)
				}
				if len(m.probes) > m.slots {
					t.Fatalf("%d slots are taken, want at most %d", len(m.probes), m.slots)
				}
				if granted {
					sends = append(sends, sent{version: got.Version, holder: holder})
				}
			},
			"end": func(t *rapid.T) {
				if len(sends) == 0 {
					t.Skip("nothing is on its way")
				}
				i := rapid.IntRange(0, len(sends)-1).Draw(t, "which")
				one, how := sends[i], rapid.SampledFrom([]string{"ill", "well", "drop"}).Draw(t, "how")
				sends = append(sends[:i], sends[i+1:]...)
				switch {
				case how == "drop":
					delete(m.probes, one.holder)
				case m.state == fleet.Closed && one.version == m.version && how == "ill":
					if m.failures++; m.failures >= m.threshold {
						m.move(fleet.Open, now)
					}
				case m.state == fleet.Closed && one.version == m.version:
					m.failures = 0
				case m.state == fleet.HalfOpen && holds(one.holder) && how == "ill":
					m.move(fleet.Open, now)
				case m.state == fleet.HalfOpen && holds(one.holder):
					delete(m.probes, one.holder)
					if m.well++; m.well >= m.slots {
						m.move(fleet.Closed, now)
					}
				}
				ask(how, one.holder, one.version)
			},
			"reset": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "rarely") > 0 {
					t.Skip("not now")
				}
				if m.failures = 0; m.state != fleet.Closed {
					m.move(fleet.Closed, now)
				}
				ask("reset", "", 0)
			},
			"": func(*rapid.T) {},
		})
	})
}

// The limit is kept over every span of time, whoever asks when and for however
// many; all of it is used while somebody wants more; and what is given back is
// there again.
func TestLimitScript(t *testing.T) {
	t.Parallel()
	conn := connect(t, testkit.Redis(t).Addr())
	names := 0
	rapid.Check(t, func(t *rapid.T) {
		names++
		limit := fleet.RateLimit{
			Requests: rapid.IntRange(1, 300).Draw(t, "requests"), Per: time.Duration(rapid.IntRange(100, 5000).Draw(t, "per")) * time.Millisecond,
			Burst: rapid.IntRange(1, 50).Draw(t, "burst"),
		}
		step := float64(limit.Per.Microseconds()) / float64(limit.Requests)
		s := fleet.NewScript(fleet.Config{Name: "l" + strconv.Itoa(names), RateLimit: limit}, conn)
		now := int64(1_700_000_000_000_000)
		began := now
		var sends []float64       // µs; in their order
		starved, reach := true, 0 // somebody wanted more at every ask, and asked again in time
		for i := range rapid.IntRange(1, 60).Draw(t, "asks") {
			if i > 0 {
				gap := rapid.IntRange(0, 300_000).Draw(t, "µs")
				now, starved = now+int64(gap), starved && gap <= reach
			}
			n := rapid.IntRange(1, 80).Draw(t, "n")
			ahead := time.Duration(rapid.IntRange(0, 400).Draw(t, "ahead")) * time.Millisecond
			got, first, again, available, mark, err := s.Take(t.Context(), n, ahead, "", now)
			if err != nil {
				t.Fatal(err)
			}
			if got < 0 || got > n || got < n != (again > 0) || available < 0 || available > limit.Burst {
				t.Fatalf("Take(%d) = %d, again %s, %d available", n, got, again, available)
			}
			starved, reach = starved && got < n, int(ahead.Microseconds())
			if got > 0 && rapid.IntRange(0, 5).Draw(t, "give back") == 0 {
				back := rapid.IntRange(1, got).Draw(t, "how many")
				if _, _, _, _, _, err := s.Take(t.Context(), -back, 0, mark, now); err != nil {
					t.Fatal(err)
				}
				if back == got {
					more, again, _, _, mark, err := s.Take(t.Context(), got, ahead, "", now)
					if err != nil || more != got || again != first {
						t.Fatalf("%d were given back, and then %d let out after %s (%v), want the same as before, after %s", got, more, again, err, first)
					}
					if _, _, _, _, _, err := s.Take(t.Context(), -more, 0, mark, now); err != nil {
						t.Fatal(err)
					}
				}
				got -= back
				starved = false
			}
			for i := range got {
				at := float64(now) + max(0, float64(first.Microseconds())+float64(i)*step)
				if at-float64(now) > float64(ahead.Microseconds())+step {
					t.Fatalf("a send lies %v µs ahead, want at most %s", at-float64(now), ahead)
				}
				sends = append(sends, at)
			}
		}
		for i := range sends {
			for j := i; j < len(sends); j++ {
				if span := sends[j] - sends[i]; float64(j-i+1) > float64(limit.Burst)+span/step+1.01 {
					t.Fatalf("%d sends in %v µs, want at most %d and one each %v µs", j-i+1, span, limit.Burst, step)
				}
			}
		}
		if starved && float64(len(sends)) < float64(now-began)/step {
			t.Fatalf("%d sends in %d µs though more were wanted, want one each %v µs", len(sends), now-began, step)
		}
	})
}
