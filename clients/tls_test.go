package clients_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

func startTLS(t *testing.T, cfg *tls.Config) (base, ca string) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) > 0 {
			w.Header().Set("X-Peer", r.TLS.PeerCertificates[0].SerialNumber.String())
		}
	}))
	s.TLS, s.Config.ErrorLog = cfg, slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	base, ca := startTLS(t, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	c := open(t, clients.Config{Name: "up", BaseURL: base, AllowNetworks: loopback, TLS: clients.TLS{CA: ca}})
	_, err := c.Do(t.Context(), httpop.Request{Method: "POST", Path: "/"})
	wantFailure(t, err, job.ClassRetryable, job.CodeUpstreamUnreachable)
}

func writeCertificate(t *testing.T, dir string, serial int64) clients.TLS {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := clients.TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	for name, block := range map[string]*pem.Block{files.Cert: {Type: "CERTIFICATE", Bytes: cert}, files.Key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestClientCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	base, ca := startTLS(t, &tls.Config{ClientAuth: tls.RequireAnyClientCert})
	dir := t.TempDir()
	cfg := clients.Config{Name: "up", BaseURL: base, AllowNetworks: loopback, TLS: writeCertificate(t, dir, 1)}
	cfg.Pool.IdleTimeout = 1 // no connection is kept
	cfg.TLS.CA = ca
	c := open(t, cfg)
	for _, want := range []string{"1", "2"} {
		got, err := c.Do(t.Context(), httpop.Request{Method: "GET", Path: "/"})
		if err != nil || got.Headers["x-peer"] != want {
			t.Fatalf("Do = %+v, %v, want the upstream to see certificate %s", got, err, want)
		}
		writeCertificate(t, dir, 2)
	}
}

// startResetting serves HTTP/2 in clear and resets every stream with a code,
// for which net/http sends a request without a body again by itself.
func startResetting(t *testing.T, code uint32) (base string, requests *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	requests = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			resetStreams(conn, code, requests)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return "http://" + l.Addr().String(), requests
}

// resetStreams speaks as much of RFC 9113 as that takes, until conn ends.
func resetStreams(conn net.Conn, code uint32, requests *atomic.Int64) {
	const headers, settings = 1, 4
	defer conn.Close()
	preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	_, _ = conn.Write([]byte{0, 0, 0, settings, 0, 0, 0, 0, 0})
	frame := make([]byte, 9)
	for {
		if _, err := io.ReadFull(conn, frame); err != nil {
			return
		}
		length := int64(frame[0])<<16 | int64(frame[1])<<8 | int64(frame[2])
		if _, err := io.CopyN(io.Discard, conn, length); err != nil {
			return
		}
		if frame[3] == headers {
			requests.Add(1)
			reset := append([]byte{0, 0, 4, 3, 0}, frame[5:9]...)
			_, _ = conn.Write(binary.BigEndian.AppendUint32(reset, code))
		}
	}
}

func TestHTTP2SendsNothingAgainByItself(t *testing.T) {
	t.Parallel()
	const protocolError, refusedStream = 1, 7
	for name, code := range map[string]uint32{"protocol error": protocolError, "refused stream": refusedStream} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, requests := startResetting(t, code)
			c := open(t, clients.Config{Name: "up", BaseURL: base, AllowNetworks: loopback, Protocol: "http2", RetryDelay: time.Millisecond})
			for _, r := range []httpop.Request{
				{Method: "POST", Path: "/"},
				{Method: "POST", Path: "/", Body: []byte("{}")},
			} {
				requests.Store(0)
				_, err := c.Do(t.Context(), r)
				wantFailure(t, err, job.ClassAmbiguous, job.CodeAmbiguous)
				if got := requests.Load(); got != 1 {
					t.Errorf("Do(body %q): the upstream got %d requests, want 1", r.Body, got)
				}
			}
			c.Close()
		})
	}
}
