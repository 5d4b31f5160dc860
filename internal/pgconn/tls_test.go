package pgconn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/pgconn"
	"github.com/asyncops/asyncops/internal/testkit"
)

// certificate makes a self-signed certificate for a host name and returns it
// with the path of its PEM file.
func certificate(t *testing.T, host string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, path
}

// serveTLS answers PostgreSQL's request for TLS and passes what is inside on
// to target. It returns its port.
func serveTLS(t *testing.T, target string, cert tls.Certificate) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go passOn(client, target, cert)
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func passOn(client net.Conn, target string, cert tls.Certificate) {
	defer func() { _ = client.Close() }()
	if _, err := io.ReadFull(client, make([]byte, 8)); err != nil { // SSLRequest
		return
	}
	if _, err := client.Write([]byte("S")); err != nil {
		return
	}
	inside := tls.Server(client, &tls.Config{Certificates: []tls.Certificate{cert}})
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() { _, _ = io.Copy(server, inside); _ = server.Close() }()
	_, _ = io.Copy(inside, server)
}

func TestTLSIsVerified(t *testing.T) {
	t.Parallel()
	dsn := testkit.PostgresDatabase(t)
	cert, ca := certificate(t, "localhost")
	_, otherCA := certificate(t, "localhost")
	port := serveTLS(t, testkit.Postgres(t).Addr(), cert)
	for _, c := range []struct {
		name string
		mode pgconn.SSLMode
		host string
		ca   string
		ok   bool
	}{
		{"verify-full", pgconn.SSLVerifyFull, "localhost", ca, true},
		{"verify-full, other host", pgconn.SSLVerifyFull, "127.0.0.1", ca, false},
		{"verify-full, other authority", pgconn.SSLVerifyFull, "localhost", otherCA, false},
		{"verify-full, system's authorities", pgconn.SSLVerifyFull, "localhost", "", false},
		{"verify-ca", pgconn.SSLVerifyCA, "127.0.0.1", ca, true},
		{"verify-ca, other authority", pgconn.SSLVerifyCA, "127.0.0.1", otherCA, false},
		{"require", pgconn.SSLRequire, "127.0.0.1", "", true},
		{"require with an authority verifies", pgconn.SSLRequire, "127.0.0.1", otherCA, false},
		{"disable against TLS", pgconn.SSLDisable, "127.0.0.1", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := configOf(t, dsn)
			cfg.Address, cfg.SSLMode, cfg.RootCA = net.JoinHostPort(c.host, port), c.mode, c.ca
			err := open(t, cfg).PingContext(t.Context())
			if (err == nil) != c.ok {
				t.Errorf("ping = %v, want success %t", err, c.ok)
			}
			if err != nil && !pgconn.Unreachable(err) {
				t.Errorf("Unreachable(%v) = false, want true", err)
			}
		})
	}
}
