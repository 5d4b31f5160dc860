package clients

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// errDialDenied is the cause of a Failure dial_denied.
var errDialDenied = errors.New("the address is not public and not in allow_networks")

// specialV4 are the networks of IPv4 that are not the public internet.
var specialV4 = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
)

// publicV6 is the global unicast space; specialV6 is what in it is not the
// public internet or leads into IPv4: Teredo and other protocols, 6to4,
// documentation. NAT64 (64:ff9b::/96), ULA, link-local and multicast lie outside.
var (
	publicV6  = netip.MustParsePrefix("2000::/3")
	specialV6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)

func prefixes(texts ...string) []netip.Prefix {
	ps := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		ps[i] = netip.MustParsePrefix(text)
	}
	return ps
}

// DialAllowed reports whether a client with these networks may connect to an
// address: one of the public internet, or one that the networks hold. An IPv4
// address inside an IPv6 one (::ffff:a.b.c.d) is judged as IPv4.
func DialAllowed(addr netip.Addr, networks []netip.Prefix) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range networks {
		if p.Contains(addr) {
			return true
		}
	}
	special := specialV4
	if addr.Is6() {
		if !publicV6.Contains(addr) {
			return false
		}
		special = specialV6
	}
	for _, p := range special {
		if p.Contains(addr) {
			return false
		}
	}
	return addr.IsValid()
}

// newDialer returns a dialer that asks DialAllowed for every address after the
// name was resolved and before a packet is sent, so that no name can lead
// elsewhere between a check and its use.
func newDialer(networks []netip.Prefix, resolver *net.Resolver) *net.Dialer {
	return &net.Dialer{
		Timeout:   10 * time.Second,
		KeepAlive: 15 * time.Second,
		Resolver:  resolver,
		Control: func(_, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("%w: %w", errDialDenied, err)
			}
			if !DialAllowed(ap.Addr(), networks) {
				return fmt.Errorf("%w: %s", errDialDenied, ap.Addr())
			}
			return nil
		},
	}
}

// pool counts the connections of a client. It is safe for concurrent use.
type pool struct {
	open  atomic.Int64
	inUse atomic.Int64
}

func (p *pool) track(c net.Conn) net.Conn {
	p.open.Add(1)
	return &trackedConn{Conn: c, pool: p}
}

// trackedConn counts bytes, for whether a request was put on the wire is told
// by them, and the calls that use it.
type trackedConn struct {
	net.Conn
	pool    *pool
	read    atomic.Int64
	written atomic.Int64
	users   atomic.Int64 // more than one with HTTP/2
	closed  sync.Once
}

func (c *trackedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.read.Add(int64(n))
	return n, err
}

func (c *trackedConn) Write(b []byte) (int, error) {
	// Counted first: the answer may be here before Write returns.
	c.written.Add(int64(len(b)))
	n, err := c.Conn.Write(b)
	c.written.Add(int64(n - len(b)))
	return n, err
}

func (c *trackedConn) Close() error {
	c.closed.Do(func() { c.pool.open.Add(-1) })
	return c.Conn.Close()
}

func (c *trackedConn) acquire() {
	if c.users.Add(1) == 1 {
		c.pool.inUse.Add(1)
	}
}

func (c *trackedConn) release() {
	if c.users.Add(-1) == 0 {
		c.pool.inUse.Add(-1)
	}
}
