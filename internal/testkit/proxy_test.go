package testkit_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// dial connects through the proxy; the connection is closed when the test ends.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ask sends a Redis inline command and reads as many bytes as want has.
func ask(conn net.Conn, command, want string) (string, error) {
	if _, err := io.WriteString(conn, command+"\r\n"); err != nil {
		return "", err
	}
	reply := make([]byte, len(want))
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, err := io.ReadFull(conn, reply)
	return string(reply[:n]), err
}

func TestProxyLosesReply(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	proxy := testkit.Proxy(t, server.Addr())
	conn := dial(t, proxy.Addr())
	if got, err := ask(conn, "INCR n", ":1\r\n"); err != nil || got != ":1\r\n" {
		t.Fatalf("INCR through the proxy = %q, %v, want :1", got, err)
	}
	lost := proxy.LoseReply(func(request []byte) bool { return bytes.Contains(request, []byte("INCR n\r\n")) })
	if got, err := ask(conn, "PING", "+PONG\r\n"); err != nil || got != "+PONG\r\n" {
		t.Fatalf("PING = %q, %v: a request that does not match must pass", got, err)
	}
	if got, err := ask(conn, "INCR n", ":2\r\n"); err == nil || got != "" {
		t.Errorf("INCR whose reply is lost = %q, %v, want a reset and no byte", got, err)
	}
	<-lost
	if got, err := server.Do("GET", "n"); err != nil || got != "2" {
		t.Errorf("n = %q, %v, want 2: the request is carried out once", got, err)
	}
	if got, err := ask(dial(t, proxy.Addr()), "INCR n", ":3\r\n"); err != nil || got != ":3\r\n" {
		t.Errorf("the next INCR = %q, %v, want :3: only one reply is lost", got, err)
	}
}

func TestProxyLosesAnswer(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	proxy := testkit.Proxy(t, server.Addr())
	conn := dial(t, proxy.Addr())
	lost := proxy.LoseAnswer(func(request, reply []byte) bool {
		return bytes.HasPrefix(request, []byte("GETDEL n")) && !bytes.Equal(reply, []byte("$-1\r\n"))
	})
	if got, err := ask(conn, "GETDEL n", "$-1\r\n"); err != nil || got != "$-1\r\n" {
		t.Fatalf("GETDEL of nothing = %q, %v: an answer that does not match must pass", got, err)
	}
	if got, err := ask(conn, "SET n 1", "+OK\r\n"); err != nil || got != "+OK\r\n" {
		t.Fatalf("SET = %q, %v: a request that does not match must pass", got, err)
	}
	if got, err := ask(conn, "GETDEL n", "$1\r\n1\r\n"); err == nil || got != "" {
		t.Errorf("GETDEL whose answer is lost = %q, %v, want a reset and no byte", got, err)
	}
	<-lost
	if got, err := ask(dial(t, proxy.Addr()), "GETDEL n", "$-1\r\n"); err != nil || got != "$-1\r\n" {
		t.Errorf("the next GETDEL = %q, %v, want nothing: the lost one was carried out", got, err)
	}
}

func TestProxyCut(t *testing.T) {
	t.Parallel()
	proxy := testkit.Proxy(t, testkit.Redis(t).Addr())
	conn := dial(t, proxy.Addr())
	if _, err := ask(conn, "PING", "+PONG\r\n"); err != nil {
		t.Fatal(err)
	}
	proxy.Cut()
	if _, err := ask(conn, "PING", "+PONG\r\n"); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("PING after Cut = %v, want a reset", err)
	}
	if err := ping(proxy.Addr()); err != nil {
		t.Errorf("PING on a new connection after Cut: %v", err)
	}
}

func TestProxyDown(t *testing.T) {
	t.Parallel()
	proxy := testkit.Proxy(t, testkit.Redis(t).Addr())
	open := dial(t, proxy.Addr())
	if _, err := ask(open, "PING", "+PONG\r\n"); err != nil {
		t.Fatal(err)
	}
	proxy.Down()
	if _, err := ask(open, "PING", "+PONG\r\n"); err == nil {
		t.Error("PING on an open connection while the server is away = nil error, want a reset")
	}
	if err := ping(proxy.Addr()); err == nil {
		t.Error("PING on a new connection while the server is away = nil error, want a reset")
	}
	proxy.Up()
	if err := ping(proxy.Addr()); err != nil {
		t.Errorf("PING after Up: %v", err)
	}
}

// ping asks over a connection of its own. The reset of a connection may show
// while it is being made.
func ping(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_, err = ask(conn, "PING", "+PONG\r\n")
	return err
}

func TestProxyPause(t *testing.T) {
	t.Parallel()
	proxy := testkit.Proxy(t, testkit.Redis(t).Addr())
	conn := dial(t, proxy.Addr())
	proxy.Pause()
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	reply := make([]byte, 7)
	var timeout net.Error
	if _, err := conn.Read(reply); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("read while paused = %v, want a timeout", err)
	}
	proxy.Resume()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(conn, reply); err != nil || string(reply) != "+PONG\r\n" {
		t.Errorf("reply after Resume = %q, %v, want PONG", reply, err)
	}
}
