package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asyncops/asyncops/config"
)

func TestParseRedisURL(t *testing.T) {
	t.Parallel()
	tests := []struct {
		url  string
		want config.RedisURL
		text string // what String returns
	}{
		{"none", config.RedisURL{Mode: "none"}, "none"},
		{"redis://localhost:6379/0", config.RedisURL{Mode: "standalone", Addrs: []string{"localhost:6379"}}, "redis://localhost:6379/0"},
		{"redis://h", config.RedisURL{Mode: "standalone", Addrs: []string{"h:6379"}}, "redis://h:6379/0"},
		{
			"rediss://user:p%40w@h:7000/3?ca_file=/ca.pem",
			config.RedisURL{
				Mode: "standalone", TLS: true, Addrs: []string{"h:7000"}, User: "user", Password: config.NewSecret("p@w"), DB: 3, CAFile: "/ca.pem",
			},
			"rediss://user:[secret]@h:7000/3?ca_file=%2Fca.pem",
		},
		{
			"redis://:pw@[::1]:6379",
			config.RedisURL{Mode: "standalone", Addrs: []string{"[::1]:6379"}, Password: config.NewSecret("pw")},
			"redis://:[secret]@[::1]:6379/0",
		},
		{
			"redis-sentinel://user:pw@h1:26379,h2/master/2?sentinel_username=s&sentinel_password=t%26",
			config.RedisURL{
				Mode: "sentinel", Addrs: []string{"h1:26379", "h2:26379"}, Master: "master", User: "user", Password: config.NewSecret("pw"), DB: 2,
				SentinelUser: "s", SentinelPassword: config.NewSecret("t&"),
			},
			"redis-sentinel://user:[secret]@h1:26379,h2:26379/master/2",
		},
		{
			"rediss-sentinel://h/m",
			config.RedisURL{Mode: "sentinel", TLS: true, Addrs: []string{"h:26379"}, Master: "m"},
			"rediss-sentinel://h:26379/m/0",
		},
		{
			"redis-cluster://h1,h2:7001",
			config.RedisURL{Mode: "cluster", Addrs: []string{"h1:6379", "h2:7001"}},
			"redis-cluster://h1:6379,h2:7001",
		},
		{
			"rediss-cluster://u:p@h1/0",
			config.RedisURL{Mode: "cluster", TLS: true, Addrs: []string{"h1:6379"}, User: "u", Password: config.NewSecret("p")},
			"rediss-cluster://u:[secret]@h1:6379",
		},
	}
	for _, test := range tests {
		got, err := config.ParseRedisURL(test.url)
		if err != nil {
			t.Errorf("ParseRedisURL(%q) = %v, want no error", test.url, err)
			continue
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("ParseRedisURL(%q) (-want +got):\n%s", test.url, diff)
		}
		if got.String() != test.text {
			t.Errorf("ParseRedisURL(%q).String() = %q, want %q", test.url, got, test.text)
		}
	}
}

func TestParseRedisURLProblems(t *testing.T) {
	t.Parallel()
	tests := []struct{ url, want string }{
		{"", "not a Redis address"},
		{"localhost:6379", "not a Redis address"},
		{"http://h", "not a Redis address"},
		{"redis-", "not a Redis address"},
		{"redis-://h", "not a Redis address"},
		{"redis-standalone://h", "not a Redis address"},
		{"redis-none://h", "not a Redis address"},
		{"redis-sentinel-x://h/m", "not a Redis address"},
		{"redis://", "must name one host"},
		{"redis://a,b", "must name one host"},
		{"redis-cluster://a,,b", "no valid host"},
		{"redis://h:x", "has a port"},
		{"redis://h/zero", "not a number"},
		{"redis://h/-1", "not a number"},
		{"redis-sentinel://h", "names no master"},
		{"redis-sentinel://h/m/zero", "not a number"},
		{"redis-cluster://h/1", "only 0"},
		{"redis://h?ca_file=/x", "no TLS"},
		{"redis://h?timeout=1", "unknown parameter"},
		{"redis://h?sentinel_username=1", "unknown parameter"},
		{"redis://:pa/ss@h", "behind the host"},
		{"redis://:p%zz@h", "malformed password"},
	}
	for _, test := range tests {
		got, err := config.ParseRedisURL(test.url)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("ParseRedisURL(%q) = %v, %v, want an error with %q", test.url, got, err, test.want)
		}
	}
}
