package config

func (v *validator) storage() {
	ledger := v.cfg.Ledger.DSN
	switch {
	case ledger.Driver == DriverMySQL:
		v.problem("ledger.dsn", "is MySQL or MariaDB, which can be a target but not the ledger; write postgres://… or sqlite:path")
	case ledger.Path == SQLiteMemory:
		v.problem("ledger.dsn", "is in memory, where accepted jobs would be lost; write sqlite:path or postgres://…")
	case ledger.Params["mode"] == "ro":
		v.problem("ledger.dsn", "is read-only; remove mode=ro")
	}
	if v.cfg.Redis.URL.Mode == RedisNone && !v.allowRedisNone {
		v.problem("redis.url", "is none, which only asyncops dev can do; write redis://host:6379/0")
	}
	if v.cfg.Cache.RedisURL.Mode == RedisNone {
		v.problem("cache.redis_url", "is none; write cache.shared: false to keep the cache out of Redis, or leave it empty to use redis.url")
	}
}

func (v *validator) queues() {
	for _, name := range sortedKeys(v.cfg.Queues) {
		v.name(joinPath("queues", name), name)
	}
	known(v, "worker.queues", v.cfg.Worker.Queues, v.cfg.Queues, "queues")
}
