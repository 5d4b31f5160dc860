package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(8)
		if got := s.take(10); got != 8 {
			t.Fatalf("take(10) of 8 = %d, want 8", got)
		}
		began := time.Now()
		room := make(chan time.Duration)
		go func() {
			s.awaitRoom(t.Context())
			room <- time.Since(began)
		}()
		time.Sleep(time.Second) // virtual
		s.give(1)
		if got := <-room; got != time.Second+lull {
			t.Errorf("room for one after %v, want %v: a lone slot is waited with", got, time.Second+lull)
		}
		go func() {
			s.awaitRoom(t.Context())
			room <- time.Since(began)
		}()
		s.give(1)
		if got := <-room; got != time.Second+lull {
			t.Errorf("room for two after %v, want %v: a quarter is enough", got, time.Second+lull)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if s.awaitIdle(ctx) {
			t.Error("awaitIdle is true with slots in use")
		}
		s.give(6)
		if !s.awaitIdle(t.Context()) {
			t.Error("awaitIdle is false with no slot in use")
		}
	})
}

// When a slot becomes free, the isolation lane comes first, then a doorbell
// that has been taken, and only then whoever would take more.
func TestSlotsGoByRank(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(4)
		s.take(4)
		var order []string
		ended := make(chan struct{})
		for _, who := range []struct {
			name string
			wait func()
		}{
			{"more", func() { s.awaitRoom(t.Context()) }},
			{"doorbell", func() { s.await(t.Context(), bellRank, 1, 1, 0) }},
			{"lane", func() { s.awaitOne(t.Context()) }},
		} {
			go func() {
				who.wait()
				order = append(order, who.name)
				ended <- struct{}{}
			}()
			synctest.Wait()
		}
		for range 3 {
			s.give(1)
			<-ended
		}
		if got := strings.Join(order, " "); got != "lane doorbell more" {
			t.Errorf("slots went to %s, want lane doorbell more", got)
		}
	})
}

// A doorbell's jobs wait for slots no longer than a lull, and take what is there.
func TestTakeSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(8)
		s.take(8)
		began := time.Now()
		if got := s.takeSoon(t.Context(), 5); got != 0 || time.Since(began) != lull {
			t.Errorf("takeSoon(5) of none = %d after %v, want 0 after %v", got, time.Since(began), lull)
		}
		s.give(1)
		if got := s.takeSoon(t.Context(), 5); got != 1 || time.Since(began) != 2*lull {
			t.Errorf("takeSoon(5) of 1 = %d after %v, want 1 after %v", got, time.Since(began), 2*lull)
		}
		s.give(3)
		if got := s.takeSoon(t.Context(), 5); got != 3 || time.Since(began) != 2*lull {
			t.Errorf("takeSoon(5) of 3 = %d after %v, want 3 at once", got, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.give(8)
		if got := s.takeSoon(ctx, 5); got != 0 || s.used() != 0 {
			t.Errorf("takeSoon after its context ended = %d, %d in use; want none", got, s.used())
		}
	})
}

// Whoever gives up keeps no slot and stands in nobody's way.
func TestSlotsForgetWhoGaveUp(t *testing.T) {
	t.Parallel()
	s := newSlots(2)
	s.take(2)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if s.awaitOne(ctx) {
				s.give(1)
			}
		})
		all.Go(func() { s.give(s.takeSoon(ctx, 2)) })
		all.Go(func() { s.awaitRoom(ctx) })
	}
	cancel()
	s.give(1)
	all.Wait()
	if s.room() != 1 || len(s.queue) != 0 {
		t.Errorf("%d slots are free and %d wait, want 1 and none", s.room(), len(s.queue))
	}
}
