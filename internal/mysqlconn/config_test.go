package mysqlconn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/mysqlconn"
	"github.com/asyncops/asyncops/internal/testkit"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	good := mysqlconn.Config{Address: "h:1", User: "u", Database: "d", Collation: "utf8mb4_unicode_520_ci", ApplicationName: "asyncops-worker"}
	if err := good.Validate(); err != nil {
		t.Errorf("Validate() = %v, want nil", err)
	}
	for want, change := range map[string]func(*mysqlconn.Config){
		"host:port":   func(c *mysqlconn.Config) { c.Address = "h" },
		"socket":      func(c *mysqlconn.Config) { c.Network, c.Address = "unix", "" },
		"network":     func(c *mysqlconn.Config) { c.Network = "udp" },
		"user":        func(c *mysqlconn.Config) { c.User = "" },
		"database":    func(c *mysqlconn.Config) { c.Database = "" },
		"tls":         func(c *mysqlconn.Config) { c.TLSMode = "prefer" },
		"collation":   func(c *mysqlconn.Config) { c.Collation = "gbk_chinese_ci" },
		`_x; DROP`:    func(c *mysqlconn.Config) { c.Collation = "utf8mb4_x; DROP" },
		"application": func(c *mysqlconn.Config) { c.ApplicationName = "a,b:c" },
	} {
		bad := good
		change(&bad)
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate() = %v, want it to name %q", err, want)
		}
	}
}

func TestServerVersion(t *testing.T) {
	t.Parallel()
	s := mysqlconn.Server{MariaDB: true, Major: 10, Minor: 6, Patch: 3}
	for _, c := range []struct {
		major, minor, patch int
		want                bool
	}{{10, 6, 3, true}, {10, 6, 4, false}, {10, 5, 9, true}, {10, 7, 0, false}, {9, 9, 9, true}, {11, 0, 0, false}} {
		if got := s.AtLeast(c.major, c.minor, c.patch); got != c.want {
			t.Errorf("%v.AtLeast(%d, %d, %d) = %t, want %t", s, c.major, c.minor, c.patch, got, c.want)
		}
	}
}

// certificate makes a self-signed certificate for localhost that the server's
// user can read, and returns the paths of its PEM files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", pkcs8)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	other, _ := certificate(t)
	server := startMariaDB(t, testkit.MariaDBSetting("ssl-cert", cert), testkit.MariaDBSetting("ssl-key", key))
	dsn := server.Database(t)
	plain := testkit.MariaDBDatabase(t)
	_, port, err := net.SplitHostPort(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, host string
		mode       mysqlconn.TLSMode
		ca         string
		ok         bool
	}{
		{"require trusts anybody", "127.0.0.1", mysqlconn.TLSRequire, "", true},
		{"require with an authority checks it", "127.0.0.1", mysqlconn.TLSRequire, other, false},
		{"verify-ca does not check the host", "127.0.0.1", mysqlconn.TLSVerifyCA, cert, true},
		{"verify-ca refuses others", "127.0.0.1", mysqlconn.TLSVerifyCA, other, false},
		{"verify-full", "localhost", mysqlconn.TLSVerifyFull, cert, true},
		{"verify-full checks the host", "127.0.0.1", mysqlconn.TLSVerifyFull, cert, false},
		{"verify-full refuses what nobody signed", "localhost", mysqlconn.TLSVerifyFull, "", false},
		{"a server without TLS", "", mysqlconn.TLSRequire, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := configOf(t, plain)
			if c.host != "" {
				cfg = configOf(t, dsn)
				cfg.Address = net.JoinHostPort(c.host, port)
			}
			cfg.TLSMode, cfg.RootCA = c.mode, c.ca
			db := open(t, cfg)
			err := db.PingContext(t.Context())
			if (err == nil) != c.ok {
				t.Fatalf("ping = %v, want success %t", err, c.ok)
			}
			if err != nil {
				if !mysqlconn.Unreachable(err) {
					t.Errorf("Unreachable(%v) = false, want true", err)
				}
				return
			}
			var name, cipher string
			if err := db.QueryRowContext(t.Context(), "SHOW STATUS LIKE 'Ssl_cipher'").Scan(&name, &cipher); err != nil || cipher == "" {
				t.Errorf("cipher = %q, %v, want one", cipher, err)
			}
		})
	}
}
