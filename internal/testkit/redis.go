package testkit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

const installRedis = "install Redis 6.2 or newer (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis)"

// RedisServer is a Redis server without a password. It keeps nothing over a
// kill or a restart unless it was started with RedisAppendOnly.
type RedisServer struct{ Server }

// RedisOption changes how a Redis server is started.
type RedisOption func(*instance)

// RedisSetting sets one of the server's own settings, as in redis.conf.
func RedisSetting(name string, values ...string) RedisOption {
	return func(in *instance) { in.start.args = append(append(in.start.args, "--"+name), values...) }
}

// RedisAppendOnly has the server write everything to disk before it answers,
// so that a kill loses nothing.
func RedisAppendOnly() RedisOption {
	return func(in *instance) {
		RedisSetting("appendonly", "yes")(in)
		RedisSetting("appendfsync", "always")(in)
	}
}

// Redis starts an empty Redis server for this test alone; it starts in a few
// milliseconds, so nothing is shared. It is gone when the test ends.
func Redis(t testing.TB) *RedisServer {
	t.Helper()
	return StartRedis(t)
}

// StartRedis is Redis with options.
func StartRedis(t testing.TB, options ...RedisOption) *RedisServer {
	t.Helper()
	path := findBinary("redis-server", "valkey-server")
	if path == "" {
		Missing(t, "redis-server", installRedis)
	}
	in, err := newInstance("redis", nil)
	if err != nil {
		t.Fatal(err)
	}
	server := &RedisServer{in.own(t)}
	in.start.path = path
	in.start.args = []string{"--port", strconv.Itoa(in.port), "--bind", "127.0.0.1", "--dir", in.dir,
		"--save", "", "--databases", "16"}
	in.ready = func() error {
		reply, err := server.Do("PING")
		if err == nil && reply != "PONG" {
			err = fmt.Errorf("answered %q to PING", reply)
		}
		return err
	}
	for _, option := range options {
		option(in)
	}
	if err := in.launch(); err != nil {
		t.Fatal(err)
	}
	return server
}

// URL is the address of database 0, redis://127.0.0.1:port/0.
func (s *RedisServer) URL() string { return "redis://" + s.Addr() + "/0" }

// Do sends one command on a connection of its own and returns the reply, for
// what a test does to the server rather than through the code under test:
// FLUSHALL, CLIENT KILL, CONFIG SET. The reply to a command that answers with
// a list is an error.
func (s *RedisServer) Do(args ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.Addr(), 5*time.Second)
	if err != nil {
		return "", fmt.Errorf("testkit: redis %s: %w", args[0], err)
	}
	defer func() { _ = conn.Close() }()
	var request strings.Builder
	fmt.Fprintf(&request, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&request, "$%d\r\n%s\r\n", len(arg), arg)
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request.String()); err != nil {
		return "", fmt.Errorf("testkit: redis %s: %w", args[0], err)
	}
	reply, err := readReply(bufio.NewReader(conn))
	if err != nil {
		return "", fmt.Errorf("testkit: redis %s: %w", args[0], err)
	}
	return reply, nil
}

// readReply reads one status, error, integer or string of the Redis protocol.
func readReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, rest := line[0], strings.TrimRight(line[1:], "\r\n")
	switch kind {
	case '+', ':':
		return rest, nil
	case '-':
		return "", errors.New(rest)
	case '$':
		size, err := strconv.Atoi(rest)
		if err != nil || size < 0 {
			return "", err // nil is the empty string here
		}
		body := make([]byte, size+2)
		_, err = io.ReadFull(r, body)
		return string(body[:size]), err
	}
	return "", fmt.Errorf("a reply of type %q", kind)
}
