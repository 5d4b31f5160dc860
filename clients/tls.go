package clients

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// TLS names certificates, each the path of a PEM file or the PEM text itself.
// Version 1.2 and verification are not up for choice.
type TLS struct {
	CA   string // who signs the upstream; "" means the system's authorities
	Cert string // of this client; read again for every handshake
	Key  string
}

// load returns the configuration of handshakes, reading every file once.
func (t TLS) load() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pool, err := certPool(t.CA)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = pool
	}
	if (t.Cert == "") != (t.Key == "") {
		return nil, errors.New("cert and key go together; give both or none")
	}
	if t.Cert != "" {
		if _, err := t.keyPair(); err != nil {
			return nil, err
		}
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return t.keyPair() }
	}
	return cfg, nil
}

func certPool(pemOrPath string) (*x509.CertPool, error) {
	text, err := pemText(pemOrPath)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(text) {
		return nil, errors.New("ca: holds no certificate; want PEM")
	}
	return p, nil
}

func (t TLS) keyPair() (*tls.Certificate, error) {
	cert, err := pemText(t.Cert)
	if err != nil {
		return nil, fmt.Errorf("cert: %w", err)
	}
	key, err := pemText(t.Key)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("cert and key: %w", err)
	}
	return &pair, nil
}

func pemText(pemOrPath string) ([]byte, error) {
	if strings.HasPrefix(strings.TrimSpace(pemOrPath), "-----BEGIN ") {
		return []byte(pemOrPath), nil
	}
	return os.ReadFile(pemOrPath)
}
