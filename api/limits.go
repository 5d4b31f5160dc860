package api

import (
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxBuckets bounds how many callers are told apart by one limiter.
	maxBuckets = 10_000
	// failuresBurst and failuresPerSecond bound the wrong keys of one address.
	failuresBurst     = 500
	failuresPerSecond = 10
)

// limiter keeps a token bucket for every caller. It is safe for concurrent use.
type limiter struct {
	limit rate.Limit
	burst int
	now   func() time.Time

	mu      sync.Mutex
	buckets map[string]*rate.Limiter // guarded by mu
}

func newLimiter(limit rate.Limit, burst int, now func() time.Time) *limiter {
	return &limiter{limit: limit, burst: burst, now: now, buckets: map[string]*rate.Limiter{}}
}

// bucket returns the caller's bucket. Full buckets are forgotten when there
// are too many, and when none is full, any.
func (l *limiter) bucket(caller string, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.buckets[caller]; b != nil {
		return b
	}
	if len(l.buckets) >= maxBuckets {
		for name, b := range l.buckets {
			if b.TokensAt(now) >= float64(l.burst) {
				delete(l.buckets, name)
			}
		}
		for name := range l.buckets {
			if len(l.buckets) < maxBuckets {
				break
			}
			delete(l.buckets, name)
		}
	}
	b := rate.NewLimiter(l.limit, l.burst)
	l.buckets[caller] = b
	return b
}

// take takes a token of the caller's, or answers 429.
func (l *limiter) take(caller string) error {
	now := l.now()
	b := l.bucket(caller, now)
	if b.AllowN(now, 1) {
		return nil
	}
	return l.refusal(b, now)
}

// peek answers 429 when the caller has no token left, and takes none.
func (l *limiter) peek(caller string) error {
	now := l.now()
	b := l.bucket(caller, now)
	if b.TokensAt(now) >= 1 {
		return nil
	}
	return l.refusal(b, now)
}

func (l *limiter) refusal(b *rate.Limiter, now time.Time) error {
	r := refuse(http.StatusTooManyRequests, CodeRateLimited, "too many requests; slow down")
	r.retryAfter = l.secondsFor(1 - b.TokensAt(now))
	return r
}

// secondsFor is how long the bucket takes to gain so many tokens, at least 1.
func (l *limiter) secondsFor(tokens float64) int {
	return int(max(1, math.Ceil(tokens/float64(l.limit))))
}

// limitRate spends a token of the caller's and tells it, in the fields of
// draft-ietf-httpapi-ratelimit-headers, how many are left.
func (s *Server) limitRate(c *call) error {
	if s.rates == nil {
		return nil
	}
	caller := c.who.id
	if caller == "" {
		caller = c.RealIP()
	}
	err := s.rates.take(caller)
	now := s.now()
	left := s.rates.bucket(caller, now).TokensAt(now)
	header := c.Response().Header()
	header.Set("RateLimit-Policy", s.ratePolicy)
	header.Set("RateLimit", fmt.Sprintf(`"default";r=%d;t=%d`, max(0, int(left)), s.rates.secondsFor(float64(s.rates.burst)-left)))
	return err
}

// ratePolicy describes the bucket: its size, and the seconds it takes to fill.
func ratePolicy(r RateLimit) string {
	window := float64(r.Burst) * r.Per.Seconds() / float64(r.Requests)
	return fmt.Sprintf(`"default";q=%d;w=%d`, r.Burst, int(max(1, math.Ceil(window))))
}
