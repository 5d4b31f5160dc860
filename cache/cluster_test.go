package cache_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/internal/testkit"
)

// TestCluster: keys and channels suit a cluster. It has one node, so that
// commands over several slots fail as they do in a large one.
func TestCluster(t *testing.T) {
	t.Parallel()
	_, bus, err := net.SplitHostPort(testkit.FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	server := testkit.StartRedis(t, testkit.RedisSetting("cluster-enabled", "yes"), testkit.RedisSetting("cluster-port", bus))
	if _, err := server.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, patience, 10*time.Millisecond, func() error {
		if _, err := server.Do("SET", "ready", "1"); err != nil {
			return err
		}
		return nil
	})
	var spaces []*cache.Space
	for range 2 {
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr()}, MaxRetries: -1, ContextTimeoutEnabled: true})
		t.Cleanup(func() { _ = client.Close() })
		spaces = append(spaces, start(t, cache.Config{Redis: client, Shared: true}, nil).Space("database:main"))
	}
	e := cache.Entry{ID: "select", Key: "user-7", Tags: []string{"users"}}
	for round := range 3 {
		text := fmt.Sprint("round ", round)
		for _, s := range spaces {
			if got := untilCached(t, s, e, constant(text, time.Hour)); string(got.Data) != text {
				t.Fatalf("Get = %q (%s), want %q", got.Data, got.Result, text)
			}
		}
		if err := spaces[round%2].Invalidate([]string{"users"}, nil); err != nil {
			t.Fatal(err)
		}
	}
}
