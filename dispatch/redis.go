package dispatch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis says where Redis is.
type Redis struct {
	Mode             string // "standalone", "sentinel" or "cluster"
	Addrs            []string
	Master           string // of a Sentinel installation
	Username         string
	Password         func() string // asked for at every connection; nil for none
	SentinelUsername string
	SentinelPassword func() string
	DB               int
	TLS              *tls.Config // nil for none
}

// Modes of Redis.
const (
	Standalone = "standalone"
	Sentinel   = "sentinel"
	Cluster    = "cluster"
)

const (
	redisTimeout     = 2 * time.Second // of one command
	redisDialTimeout = 2 * time.Second
)

// Open returns a client for what is not dispatch's own, with a pool of so many
// connections. Nothing is tried twice, neither a command nor a connection: who
// asks knows better when to. It does not wait for Redis.
func (r Redis) Open(pool int) (redis.UniversalClient, error) {
	opts := r.options(0, pool)
	opts.DialerRetries = 1
	return r.open(opts)
}

// client opens connections lazily; Close it. retries is how often go-redis
// sends a command again after a broken connection: zero for clients whose
// commands must not run twice, such as a dequeue whose reply was lost.
func (r Redis) client(retries, pool int) (redis.UniversalClient, error) {
	return r.open(r.options(retries, pool))
}

func (r Redis) options(retries, pool int) *redis.UniversalOptions {
	if retries == 0 {
		retries = -1
	}
	opts := &redis.UniversalOptions{
		Addrs: r.Addrs, DB: r.DB, Username: r.Username, SentinelUsername: r.SentinelUsername,
		MaxRetries: retries, DialTimeout: redisDialTimeout, ReadTimeout: redisTimeout, WriteTimeout: redisTimeout,
		ContextTimeoutEnabled: true, PoolSize: pool, TLSConfig: r.TLS, IsClusterMode: r.Mode == Cluster,
	}
	if r.Password != nil {
		user, password := r.Username, r.Password
		opts.CredentialsProvider = func() (string, string) { return user, password() }
	}
	if r.SentinelPassword != nil {
		opts.SentinelPassword = r.SentinelPassword()
	}
	return opts
}

func (r Redis) open(opts *redis.UniversalOptions) (redis.UniversalClient, error) {
	switch r.Mode {
	case Standalone:
		return redis.NewClient(opts.Simple()), nil
	case Sentinel:
		opts.MasterName = r.Master
		return redis.NewFailoverClient(opts.Failover()), nil
	case Cluster:
		return redis.NewClusterClient(opts.Cluster()), nil
	}
	return nil, fmt.Errorf("dispatch: redis mode %q is not one of standalone, sentinel, cluster", r.Mode)
}

// LogRedis has the Redis library, which writes to standard error by itself, log
// through log: at the level of debug, because whoever uses it tells of its
// absence. It is for the whole process; call it before OpenBroker.
func LogRedis(log *slog.Logger) { redis.SetLogger(redisLog{log.With("component", "redis")}) }

// redisLog is the library's logger.
type redisLog struct{ log *slog.Logger }

// Printf logs one line.
func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, "told by go-redis", "text", fmt.Sprintf(format, args...))
}

// Broker is a connection to Redis for everything but dequeues. It is safe for
// concurrent use; Close it after the parts that use it have stopped.
type Broker struct {
	cfg    Redis
	client redis.UniversalClient
}

// OpenBroker returns a broker. It does not wait for Redis.
func OpenBroker(cfg Redis) (*Broker, error) {
	const retries, pool = 2, 16
	client, err := cfg.client(retries, pool)
	if err != nil {
		return nil, err
	}
	return &Broker{cfg: cfg, client: client}, nil
}

// Close closes the connections.
func (b *Broker) Close() error { return b.client.Close() }

// Conn is the connection itself, for what else is shared through Redis. Close
// ends it.
func (b *Broker) Conn() redis.UniversalClient { return b.client }

// Check reports what is wrong with Redis: that it does not answer, or that it
// may evict keys (maxmemory-policy), which would lose doorbells under load.
func (b *Broker) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	if err := b.ping(ctx); err != nil {
		return err
	}
	policy, err := b.client.ConfigGet(ctx, "maxmemory-policy").Result()
	if err != nil {
		return nil // managed services forbid CONFIG; nothing can be told
	}
	if p := policy["maxmemory-policy"]; p != "" && p != "noeviction" {
		return fmt.Errorf("%w: it is %s", ErrEviction, p)
	}
	return nil
}

// ping returns soon, also when Redis does not.
func (b *Broker) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	if err := b.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis: ping: %w", err)
	}
	return nil
}

// ErrEviction says that Redis may drop keys when its memory is full.
var ErrEviction = errors.New("redis: set maxmemory-policy to noeviction")

// queuesKey is asynq's set of queues.
const queuesKey = "asynq:queues"

// pendingKey is asynq's list of the doorbells that wait in a queue; the oldest
// is the last.
func pendingKey(queue string) string { return "asynq:{" + queue + "}:pending" }

func isPendingKey(key string) bool { return strings.HasSuffix(key, ":pending") }
