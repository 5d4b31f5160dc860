package pgconn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// SSLMode says how a connection is secured.
type SSLMode string

const (
	// SSLDefault is SSLDisable on sockets and loopback, SSLVerifyFull elsewhere.
	SSLDefault    SSLMode = ""
	SSLDisable    SSLMode = "disable"     // no TLS
	SSLRequire    SSLMode = "require"     // TLS, the server's certificate is not checked (it is with a RootCA, as in SSLVerifyCA)
	SSLVerifyCA   SSLMode = "verify-ca"   // TLS, the certificate must come from a known authority
	SSLVerifyFull SSLMode = "verify-full" // and must name the host
)

// Config is where the server is and how its pool behaves.
type Config struct {
	Network         string // "tcp" or "unix"; default "tcp"
	Address         string // host:port, or the socket's path
	User            string
	Password        func() string // asked for at every new connection; nil for none
	Database        string
	SSLMode         SSLMode
	RootCA          string            // PEM file; "" for the system's authorities
	ApplicationName string            // shown in pg_stat_activity
	Params          map[string]string // session parameters of every connection

	MaxOpen     int           // connections at most; 0 is no bound
	MaxIdle     int           // connections kept while idle; 0 is database/sql's 2, negative none
	MaxLifetime time.Duration // of a connection; 0 is for ever
	MaxIdleTime time.Duration // of an unused connection; 0 is for ever

	// TextRows makes prepared statements return every value as the server's text,
	// with the OID of its type as the column's DatabaseTypeName, and keep nothing
	// on the server: one that is run often is parsed as often.
	TextRows bool

	ConnectTimeout time.Duration // dial, TLS and login together; default 10s
	// CancelTimeout is how long the server has to end a statement whose context
	// is done before the connection is dropped; default 2s.
	CancelTimeout time.Duration
}

const (
	defaultConnectTimeout = 10 * time.Second
	defaultCancelTimeout  = 2 * time.Second
	writeTimeout          = 30 * time.Second // a peer that takes nothing for so long is gone
)

// Validate reports everything that is wrong with the settings, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("pgconn: "+format, args...)) }
	switch c.network() {
	case "tcp":
		if _, _, err := net.SplitHostPort(c.Address); err != nil {
			bad("address %q must be host:port", c.Address)
		}
	case "unix":
		if c.Address == "" {
			bad("address must be the path of the server's socket")
		}
	default:
		bad(`network %q must be "tcp" or "unix"`, c.Network)
	}
	if c.User == "" {
		bad("user must not be empty")
	}
	if c.Database == "" {
		bad("database must not be empty")
	}
	switch c.SSLMode {
	case SSLDefault, SSLDisable, SSLRequire, SSLVerifyCA, SSLVerifyFull:
	default:
		bad("sslmode %q must be disable, require, verify-ca or verify-full", c.SSLMode)
	}
	for name := range c.Params {
		switch strings.ToLower(name) {
		case "standard_conforming_strings", "client_encoding", "datestyle", "bytea_output", "intervalstyle":
			bad("session parameter %s may not be changed", name)
		}
	}
	return errors.Join(errs...)
}

func (c Config) network() string {
	if c.Network == "" {
		return "tcp"
	}
	return c.Network
}

func (c Config) password() string {
	if c.Password == nil {
		return ""
	}
	return c.Password()
}

// idle turns MaxIdle into what sql.DB.SetMaxIdleConns takes.
func (c Config) idle() int {
	if c.MaxIdle == 0 {
		return 2
	}
	return c.MaxIdle
}

func (c Config) connectTimeout() time.Duration {
	if c.ConnectTimeout > 0 {
		return c.ConnectTimeout
	}
	return defaultConnectTimeout
}

func (c Config) cancelTimeout() time.Duration {
	if c.CancelTimeout > 0 {
		return c.CancelTimeout
	}
	return defaultCancelTimeout
}

func (c Config) host() string {
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return c.Address
	}
	return host
}

func (c Config) sslMode() SSLMode {
	if c.SSLMode != SSLDefault {
		return c.SSLMode
	}
	ip := net.ParseIP(c.host())
	if c.network() == "unix" || c.host() == "localhost" || ip != nil && ip.IsLoopback() {
		return SSLDisable
	}
	return SSLVerifyFull
}

// tls returns nil where the connection is not to be secured.
func (c Config) tls() (*tls.Config, error) {
	mode := c.sslMode()
	if mode == SSLDisable || c.network() == "unix" {
		return nil, nil
	}
	t := &tls.Config{ServerName: c.host(), MinVersion: tls.VersionTLS12}
	if c.RootCA != "" {
		pem, err := os.ReadFile(c.RootCA)
		if err != nil {
			return nil, wrap("read the root certificate", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("pgconn: %s holds no PEM certificate", c.RootCA)
		}
		if mode == SSLRequire {
			mode = SSLVerifyCA
		}
	}
	switch mode {
	case SSLRequire:
		t.InsecureSkipVerify = true // what sslmode=require means
	case SSLVerifyCA:
		t.InsecureSkipVerify = true // the host's name is not checked, the chain is, below
		t.VerifyConnection = verifyChain(t.RootCAs)
	}
	return t, nil
}

func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		intermediates := x509.NewCertPool()
		for _, cert := range state.PeerCertificates[1:] {
			intermediates.AddCert(cert)
		}
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates})
		return err
	}
}
