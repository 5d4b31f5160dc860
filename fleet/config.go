package fleet

import (
	"errors"
	"fmt"
	"time"
)

// Config is one upstream.
type Config struct {
	Name      string
	RateLimit RateLimit
	Breaker   Breaker
}

// RateLimit bounds the sends of the whole fleet.
type RateLimit struct {
	Requests int           // in each Per; zero is no limit
	Per      time.Duration // zero means a second
	Burst    int           // that may go out at once; zero means Requests
}

// Breaker keeps requests from an upstream that fails.
type Breaker struct {
	Threshold        int           // failures in a row that open it; zero is no breaker
	Timeout          time.Duration // how long it stays open
	HalfOpenRequests int           // that may be on their way at once afterwards, and successes that close it; zero means 1
}

func (c Config) withDefaults() Config {
	if c.RateLimit.Per == 0 {
		c.RateLimit.Per = time.Second
	}
	if c.RateLimit.Burst == 0 {
		c.RateLimit.Burst = c.RateLimit.Requests
	}
	if c.Breaker.HalfOpenRequests == 0 {
		c.Breaker.HalfOpenRequests = 1
	}
	return c
}

// Validate returns everything wrong with the Config, joined.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if c.Name == "" {
		errs = append(errs, errors.New("fleet: an upstream needs a name"))
	}
	if l := c.RateLimit; l.Requests < 0 || l.Burst < 0 || l.Per < 0 {
		errs = append(errs, fmt.Errorf("clients.%s.rate_limit: must not be negative", c.Name))
	}
	if b := c.Breaker; b.Threshold < 0 || b.HalfOpenRequests < 0 || b.Timeout < 0 || b.Threshold > 0 && b.Timeout < time.Millisecond {
		errs = append(errs, fmt.Errorf("clients.%s.circuit_breaker: must not be negative, and timeout at least 1ms", c.Name))
	}
	return errors.Join(errs...)
}

// step is the time from one send to the next at the limit.
func (l RateLimit) step() time.Duration { return max(1, l.Per/time.Duration(max(1, l.Requests))) }
