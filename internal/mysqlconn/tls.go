package mysqlconn

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
)

// TLSMode says how a connection is secured.
type TLSMode string

const (
	// TLSDefault is TLSDisable on sockets and loopback, TLSVerifyFull elsewhere.
	TLSDefault    TLSMode = ""
	TLSDisable    TLSMode = "disable"     // no TLS
	TLSRequire    TLSMode = "require"     // TLS, the server's certificate is not checked (it is with a RootCA, as in TLSVerifyCA)
	TLSVerifyCA   TLSMode = "verify-ca"   // TLS, the certificate must come from a known authority
	TLSVerifyFull TLSMode = "verify-full" // and must name the host
)

func (c Config) host() string {
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return c.Address
	}
	return host
}

func (c Config) tlsMode() TLSMode {
	if c.TLSMode != TLSDefault {
		return c.TLSMode
	}
	ip := net.ParseIP(c.host())
	if c.network() == "unix" || c.host() == "localhost" || ip != nil && ip.IsLoopback() {
		return TLSDisable
	}
	return TLSVerifyFull
}

// tls returns nil where the connection is not to be secured.
func (c Config) tls() (*tls.Config, error) {
	mode := c.tlsMode()
	if mode == TLSDisable || c.network() == "unix" {
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
			return nil, fmt.Errorf("mysqlconn: %s holds no PEM certificate", c.RootCA)
		}
		if mode == TLSRequire {
			mode = TLSVerifyCA
		}
	}
	switch mode {
	case TLSRequire:
		t.InsecureSkipVerify = true // what require means
	case TLSVerifyCA:
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
