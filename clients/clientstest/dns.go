package clientstest

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
)

// DNS answers every question for an IPv4 address with the next of its
// addresses, the last of which stays: a name that rebinds. Other questions get
// an empty answer. It is safe for concurrent use.
type DNS struct {
	mu    sync.Mutex
	addrs []netip.Addr // guarded by mu
	asked int          // guarded by mu
}

// NewDNS returns a server of these addresses, and a resolver that asks it. It
// needs no network.
func NewDNS(t testing.TB, addrs ...string) (*DNS, *net.Resolver) {
	t.Helper()
	d := &DNS{}
	for _, a := range addrs {
		d.addrs = append(d.addrs, netip.MustParseAddr(a))
	}
	return d, &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go d.serve(server)
		return client, nil
	}}
}

// Asked returns how many addresses were asked for.
func (d *DNS) Asked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

func (d *DNS) next() netip.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.addrs[min(d.asked, len(d.addrs)-1)]
	d.asked++
	return a
}

// serve speaks DNS over a stream: each message after its length (RFC 7766).
func (d *DNS) serve(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil || n < 14 {
			return
		}
		reply := d.reply(buf[2:n])
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}

func (d *DNS) reply(query []byte) []byte {
	end := 12 // of the question: labels, a zero, type and class
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	end += 5
	reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
	if binary.BigEndian.Uint16(query[end-4:]) != 1 { // A
		return reply
	}
	reply[7] = 1
	reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
	return append(reply, d.next().AsSlice()...)
}
