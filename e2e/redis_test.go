package e2e_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/asyncops/asyncops/internal/testkit"
)

// transcript is every command that a Redis server carries out.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

// Write keeps p.
func (r *transcript) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *transcript) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// record writes down what the server is told from now on, to the test's end.
func record(t testing.TB, redis *testkit.RedisServer) *transcript {
	t.Helper()
	conn, err := net.Dial("tcp", redis.Addr())
	if err != nil {
		t.Fatal(err)
	}
	r := &transcript{}
	if _, err := io.WriteString(conn, "MONITOR\r\n"); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		if _, err := io.Copy(r, conn); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("MONITOR: %v", err)
		}
	})
	t.Cleanup(func() {
		_ = conn.Close()
		reading.Wait()
	})
	return r
}

// contents is everything that the server holds, names and values.
func contents(t testing.TB, redis *testkit.RedisServer) string {
	t.Helper()
	const dump = `local out = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
	out[#out + 1] = key
	local kind, values = redis.call('TYPE', key).ok, {}
	if kind == 'string' then values = { redis.call('GET', key) }
	elseif kind == 'hash' then values = redis.call('HGETALL', key)
	elseif kind == 'list' then values = redis.call('LRANGE', key, 0, -1)
	elseif kind == 'set' then values = redis.call('SMEMBERS', key)
	elseif kind == 'zset' then values = redis.call('ZRANGE', key, 0, -1)
	else values = { 'of a type that the test does not read: ' .. kind } end
	out[#out + 1] = table.concat(values, ' ')
end
return table.concat(out, '\n')`
	text, err := redis.Do("EVAL", dump, "0")
	if err != nil {
		t.Fatal(err)
	}
	return text
}
