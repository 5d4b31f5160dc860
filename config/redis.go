package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
)

// Modes of a RedisURL.
const (
	RedisNone       = "none"       // no Redis: workers claim straight from the ledger
	RedisStandalone = "standalone" // one server
	RedisSentinel   = "sentinel"   // a master that sentinels name
	RedisCluster    = "cluster"    // shards, found from any of Addrs
)

// RedisURL is the address of a Redis, taken apart. Printing, logging and
// marshalling leave its passwords out. The zero value is none given.
type RedisURL struct {
	Mode             string   // RedisNone, RedisStandalone, RedisSentinel or RedisCluster
	TLS              bool     // verified, for servers and sentinels alike
	Addrs            []string // host:port: the server, the sentinels, or some of the cluster
	Master           string   // the name that the sentinels know
	User             string   // empty: the default user
	Password         Secret   // follows its file
	SentinelUser     string
	SentinelPassword Secret // follows its file
	DB               int    // 0 in a cluster
	CAFile           string // path of the PEM file of authorities to trust; empty: the system's
}

var errRedisURL = errors.New("not a Redis address; write redis://host:6379/0, redis-sentinel://host:26379,host:26379/master/0 " +
	"or redis-cluster://host:6379,host:6379, with rediss for TLS")

var redisParams = map[string][]string{
	RedisStandalone: {"ca_file"},
	RedisSentinel:   {"ca_file", "sentinel_username", "sentinel_password"},
	RedisCluster:    {"ca_file"},
}

// ParseRedisURL reads redis://, redis-sentinel:// and redis-cluster://
// addresses, rediss for TLS, and "none". Its errors say what is wrong and the
// fix, and hold nothing of the passwords.
func ParseRedisURL(s string) (RedisURL, error) { return parseRedisURL(NewSecret(s)) }

func parseRedisURL(secret Secret) (RedisURL, error) {
	text := secret.Reveal()
	if text == "none" {
		return RedisURL{Mode: RedisNone}, nil
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return RedisURL{}, errRedisURL
	}
	var r RedisURL
	base, mode, _ := strings.Cut(scheme, "-")
	switch {
	case base != "redis" && base != "rediss":
		return RedisURL{}, errRedisURL
	case mode == "" && scheme == base:
		r.Mode = RedisStandalone
	case mode == RedisSentinel, mode == RedisCluster:
		r.Mode = mode
	default:
		return RedisURL{}, errRedisURL
	}
	r.TLS = base == "rediss"
	u, err := parseSplitURL(rest)
	if err != nil {
		return RedisURL{}, err
	}
	if err := r.fill(u); err != nil {
		return RedisURL{}, err
	}
	r.Password = secret.pick(func(text string) string { return resplit(text).password })
	r.SentinelPassword = secret.pick(func(text string) string { return resplit(text).query["sentinel_password"] })
	return r, nil
}

func (r *RedisURL) fill(u splitURL) error {
	r.User = u.user
	defaultPort := "6379"
	if r.Mode == RedisSentinel {
		defaultPort = "26379"
	}
	if len(u.hosts) == 0 || (r.Mode == RedisStandalone && len(u.hosts) > 1) {
		return errors.New("must name one host, or several for redis-sentinel:// and redis-cluster://; write host:port after ://")
	}
	for _, host := range u.hosts {
		address, err := hostPort(host, defaultPort)
		if err != nil {
			return err
		}
		r.Addrs = append(r.Addrs, address)
	}
	db := u.path
	if r.Mode == RedisSentinel {
		r.Master, db, _ = strings.Cut(u.path, "/")
		if r.Master == "" {
			return errors.New("names no master; write redis-sentinel://host:26379/master/0")
		}
	}
	if db != "" {
		n, err := strconv.ParseUint(db, 10, 16)
		if err != nil {
			return errors.New("has a database that is not a number; write it last, such as /0")
		}
		r.DB = int(n)
	}
	if r.Mode == RedisCluster && r.DB != 0 {
		return errors.New("names a database, but a cluster has only 0; remove it")
	}
	r.CAFile = u.take("ca_file")
	if r.CAFile != "" && !r.TLS {
		return errors.New("has a ca_file but no TLS; write rediss instead of redis")
	}
	if r.Mode == RedisSentinel {
		r.SentinelUser = u.take("sentinel_username")
		u.take("sentinel_password") // kept as a Secret by the caller
	}
	return unknownParams(u.query, redisParams[r.Mode])
}

// IsZero reports whether no address was given.
func (r RedisURL) IsZero() bool { return r.Mode == "" }

// String returns the address without its passwords.
func (r RedisURL) String() string {
	if r.Mode == "" || r.Mode == RedisNone {
		return r.Mode
	}
	var b strings.Builder
	b.WriteString("redis")
	if r.TLS {
		b.WriteString("s")
	}
	if r.Mode != RedisStandalone {
		b.WriteString("-" + r.Mode)
	}
	b.WriteString("://")
	if r.User != "" || !r.Password.IsZero() {
		b.WriteString(url.PathEscape(r.User))
		if !r.Password.IsZero() {
			b.WriteString(":" + redacted)
		}
		b.WriteString("@")
	}
	b.WriteString(strings.Join(r.Addrs, ","))
	if r.Master != "" {
		b.WriteString("/" + url.PathEscape(r.Master))
	}
	if r.Mode != RedisCluster {
		fmt.Fprintf(&b, "/%d", r.DB)
	}
	if r.CAFile != "" {
		b.WriteString("?ca_file=" + url.QueryEscape(r.CAFile))
	}
	return b.String()
}

// GoString returns what String does, for %#v.
func (r RedisURL) GoString() string { return r.String() }

// MarshalText writes what String does; encoding/json and YAML use it too.
func (r RedisURL) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// LogValue is what slog writes: what String returns.
func (r RedisURL) LogValue() slog.Value { return slog.StringValue(r.String()) }
