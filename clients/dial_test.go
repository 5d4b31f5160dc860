package clients_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/clients/clientstest"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func TestDialAllowed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		want  bool
		addrs []string
	}{
		{true, []string{"1.1.1.1", "8.8.8.8", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.0", "192.167.1.1", "223.255.255.255", "::ffff:8.8.8.8", "2606:4700::1", "2a00::1"}},
		{false, []string{
			"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.169.254",
			"172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255",
			"198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
			"::", "::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::10.0.0.1", "::8.8.8.8", "64:ff9b::808:808", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1",
			"2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
		}},
	}
	for _, tt := range tests {
		for _, a := range tt.addrs {
			if got := clients.DialAllowed(netip.MustParseAddr(a), nil); got != tt.want {
				t.Errorf("DialAllowed(%s) = %t, want %t", a, got, tt.want)
			}
		}
	}
	networks := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fe80::/10")}
	for a, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "fe80::1%eth0": true, "9.9.9.9": true} {
		if got := clients.DialAllowed(netip.MustParseAddr(a), networks); got != want {
			t.Errorf("DialAllowed(%s, %v) = %t, want %t", a, networks, got, want)
		}
	}
	if clients.DialAllowed(netip.Addr{}, nil) {
		t.Error("DialAllowed(no address) = true, want false")
	}
}

// FuzzDialAllowed: nothing that the standard library calls other than a
// global unicast address passes.
func FuzzDialAllowed(f *testing.F) {
	for _, a := range []string{"8.8.8.8", "::ffff:127.0.0.1", "fe80::1%x", "2002::1", "ff0e::1"} {
		f.Add(a)
	}
	f.Fuzz(func(t *testing.T, text string) {
		addr, err := netip.ParseAddr(text)
		if err != nil || !clients.DialAllowed(addr, nil) {
			return
		}
		if a := addr.Unmap(); !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified() {
			t.Errorf("DialAllowed(%s) = true, want false", text)
		}
	})
}

// wantFailure returns the Failure that err must be.
func wantFailure(t *testing.T, err error, class job.Class, code job.Code) *job.Failure {
	t.Helper()
	var f *job.Failure
	if !errors.As(err, &f) || f.Class != class || f.Code != code {
		t.Fatalf("got %v, want a Failure %s %s", err, class, code)
	}
	return f
}

func TestSpecialAddressesAreDenied(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", "169.254.169.254", "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "[::1]", "0.0.0.0", "[fe80::1%25lo]"} {
		c := open(t, clients.Config{Name: "up", BaseURL: "http://" + host, MaxRetries: 3})
		_, err := c.Do(t.Context(), httpop.Request{Method: "GET", Path: "/"})
		wantFailure(t, err, job.ClassPermanent, job.CodeDialDenied)
		wantFailure(t, c.Health(t.Context()), job.ClassPermanent, job.CodeDialDenied)
	}
}

// TestRebindingName: a name that passes while it is looked at and leads inside
// afterwards does not get there, for it is the dialled address that is judged.
func TestRebindingName(t *testing.T) {
	t.Parallel()
	u := clientstest.New(t, clientstest.Options{})
	_, port, err := net.SplitHostPort(u.URL()[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	dns, resolver := clientstest.NewDNS(t, "127.0.0.1", "127.0.0.2", "127.0.0.1")
	cfg := clients.Config{Name: "up", BaseURL: "http://rebind.example.com:" + port, Resolver: resolver}
	cfg.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	c := open(t, cfg)
	get := httpop.Request{Method: "GET", Path: "/"}
	if _, err := c.Do(t.Context(), get); err != nil {
		t.Fatalf("Do = %v, want an answer while the name leads to an allowed address", err)
	}
	c.Close()

	c = open(t, cfg)
	_, err = c.Do(t.Context(), get)
	wantFailure(t, err, job.ClassPermanent, job.CodeDialDenied)
	cfg.AllowNetworks = nil
	_, err = open(t, cfg).Do(t.Context(), get)
	wantFailure(t, err, job.ClassPermanent, job.CodeDialDenied)
	if dns.Asked() != 3 {
		t.Errorf("the name was looked up %d times, want 3", dns.Asked())
	}
	if got := u.Connections(); got != 1 {
		t.Errorf("the upstream accepted %d connections, want 1", got)
	}
}

func TestUnknownName(t *testing.T) {
	t.Parallel()
	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, net.ErrClosed
	}}
	c := open(t, clients.Config{Name: "up", BaseURL: "http://api.example.com", Resolver: resolver})
	_, err := c.Do(t.Context(), httpop.Request{Method: "POST", Path: "/"})
	f := wantFailure(t, err, job.ClassRetryable, job.CodeUpstreamUnreachable)
	if want := "client up: its name could not be resolved"; f.Message != want {
		t.Errorf("Message = %q, want %q", f.Message, want)
	}
}

//nolint:paralleltest // it sets the environment
func TestEnvironmentNamesNoProxy(t *testing.T) {
	proxy, u := clientstest.New(t, clientstest.Options{}), clientstest.New(t, clientstest.Options{})
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL())
	}
	dns, resolver := clientstest.NewDNS(t, "127.0.0.1")
	base := "http://api.example.com" + u.URL()[len("http://127.0.0.1"):]
	c := open(t, clients.Config{Name: "up", BaseURL: base, AllowNetworks: loopback, Resolver: resolver})
	if _, err := c.Do(t.Context(), httpop.Request{Method: "GET", Path: "/"}); err != nil {
		t.Fatal(err)
	}
	if proxy.Connections() != 0 || len(u.Requests()) != 1 || dns.Asked() != 1 {
		t.Errorf("proxy got %d connections, upstream %d requests; want 0 and 1", proxy.Connections(), len(u.Requests()))
	}
}

func TestConfiguredProxy(t *testing.T) {
	t.Parallel()
	proxy := clientstest.New(t, clientstest.Options{})
	cfg := clients.Config{Name: "up", BaseURL: "http://api.example.com/v2", Proxy: proxy.URL(), AllowNetworks: loopback}
	c := open(t, cfg)
	if err := c.Health(t.Context()); err != nil {
		t.Errorf("Health = %v, want nil", err)
	}
	if _, err := c.Do(t.Context(), httpop.Request{Method: "GET", Path: "/a"}); err != nil {
		t.Fatal(err)
	}
	if got := proxy.Requests(); len(got) != 1 || got[0].Target != "http://api.example.com/v2/a" {
		t.Errorf("the proxy got %+v, want one request of http://api.example.com/v2/a", got)
	}
	cfg.AllowNetworks = nil
	_, err := open(t, cfg).Do(t.Context(), httpop.Request{Method: "GET", Path: "/a"})
	wantFailure(t, err, job.ClassPermanent, job.CodeDialDenied)
}
