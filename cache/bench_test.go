package cache_test

import (
	"testing"
	"time"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/internal/testkit"
)

// BenchmarkGet is a Get that memory answers, and BenchmarkInvalidate what a
// write pays for a table that nobody has cached anything of: alone, and as one
// of many at the same time.
func BenchmarkGet(b *testing.B) {
	s := open(b, cache.Config{}, "").Space("database:main")
	e := cache.Entry{ID: "SELECT * FROM users WHERE id = 7", Key: "user-7", Tags: []string{"users"}}
	load := constant("value", time.Hour)
	for b.Loop() {
		if _, err := s.Get(b.Context(), e, load); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInvalidate(b *testing.B) {
	s := open(b, cache.Config{}, testkit.StartRedis(b).Addr()).Space("database:main")
	invalidate := func(b *testing.B) {
		if err := s.Invalidate([]string{"log"}, nil); err != nil {
			b.Fatal(err)
		}
	}
	for range 100 { // until the first second of the era is over
		invalidate(b)
	}
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			invalidate(b)
		}
	})
	b.Run("many", func(b *testing.B) {
		b.SetParallelism(50)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				invalidate(b)
			}
		})
	})
}
