package cache_test

import (
	"log/slog"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// open returns a cache that runs until the test ends. On top of what config
// says, a Redis at addr, if any.
func open(t testing.TB, config cache.Config, addr string) *cache.Cache {
	t.Helper()
	if addr != "" {
		client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true, PoolSize: 16})
		config.Redis = client
		t.Cleanup(func() { _ = client.Close() })
	}
	return start(t, config, nil)
}

func start(t testing.TB, config cache.Config, observer cache.Observer) *cache.Cache {
	t.Helper()
	c, err := cache.Open(config, slog.New(slog.DiscardHandler), observer)
	if err != nil {
		t.Fatal(err)
	}
	run(t, c)
	return c
}
