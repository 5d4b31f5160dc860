package app

import (
	"errors"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/dispatch"
)

// cacheConnections is how many connections to Redis the cache of a process has
// at most.
const cacheConnections = 32

// openCache opens the cache, where there is one: a scheduler neither reads nor
// writes targets.
func (s *system) openCache(name string) error {
	if !s.cfg.Cache.Enabled || name == "scheduler" {
		return nil
	}
	cfg := cache.Config{MaxBytes: s.cfg.Cache.MaxBytes.Bytes(), Teller: !runsJobs(name)}
	setting, url := "cache.redis_url", s.cfg.Cache.RedisURL
	if url.Mode == "" {
		setting, url = "redis.url", s.cfg.Redis.URL
	}
	if url.Mode != config.RedisNone {
		redis, err := redisOf(setting, url)
		switch {
		case err != nil && setting == "redis.url":
			return nil // openRedis has told
		case err != nil:
			return err
		}
		dispatch.LogRedis(s.log)
		client, err := redis.Open(cacheConnections)
		if err != nil {
			return err
		}
		s.closers = append(s.closers, client.Close)
		cfg.Redis, cfg.Shared = client, s.cfg.Cache.Shared
	}
	var err error
	if s.cache, err = cache.Open(cfg, s.log, s.metrics); err != nil {
		return err
	}
	s.closers = append(s.closers, s.cache.Close)
	return nil
}

// caches is the cache in the API's words.
type caches struct{ *system }

func (c caches) InvalidateDatabase(name string, tables, keys []string) error {
	return cacheError(c.databases[name].InvalidateCache(tables, keys))
}

func (c caches) InvalidateClient(name, key, pathPrefix string) error {
	return cacheError(c.upstreams[name].InvalidateCache(clients.Stale{Key: key, PathPrefix: pathPrefix}))
}

func cacheError(err error) error {
	if errors.Is(err, cache.ErrAway) {
		return api.ErrCacheAway
	}
	return err
}
