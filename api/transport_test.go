package api_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
)

// raw sends text over a connection of its own and returns the answer. half
// closes the sending side after the text.
func (f *fixture) raw(t *testing.T, text string, half bool) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", f.server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(conn, text) // the server may answer and close before all is sent
		if half {
			_ = conn.(*net.TCPConn).CloseWrite()
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestRawRequests(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *api.Config, _ *api.Deps) { cfg.ReadTimeout = time.Second })
	auth := as(submitterKey) + "\r\n"
	post := func(headers, body string) string {
		return "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n" + auth + headers + "\r\n" + body
	}
	get := func(target, headers string) string {
		return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + auth + headers + "\r\n"
	}
	const isJSON = "Content-Type: application/json\r\n"
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }
	for _, tt := range []struct {
		name, text string
		half       bool
		status     int
		code       string // "" where net/http answers before our handler
	}{
		{"no body", post("", ""), false, 400, "malformed"},
		{"Content-Length too long", post(isJSON+length(len(insert)+10), insert), true, 400, "malformed"},
		{"Content-Length too short", post(isJSON+length(len(insert)-5), insert), false, 400, "not_json"},
		{"chunked without end", post(isJSON+"Transfer-Encoding: chunked\r\n", "5\r\n{\"kin\r\n"), false, 408, "request_timeout"},
		{"broken chunk", post(isJSON+"Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n"), false, 400, "malformed"},
		{"1 MiB and a byte", post(isJSON+length(1<<20+1), ""), false, 413, "too_large"},
		{"chunked, 1 MiB and a byte", post(isJSON+"Transfer-Encoding: chunked\r\n", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", 1<<20+1, strings.Repeat(" ", 1<<20+1))), false, 413, "too_large"},
		{"header block of 33 KiB", get("/v1/jobs", "X-Big: "+strings.Repeat("a", 33<<10)+"\r\n"), false, 431, ""},
		{"200 headers of 1 KiB", get("/v1/jobs", strings.Repeat("X-Big: "+strings.Repeat("a", 1<<10)+"\r\n", 200)), false, 431, ""},
		{"64 KiB token", "GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + strings.Repeat("a", 64<<10) + "\r\n\r\n", false, 431, ""},
		{"unknown transfer coding", post(isJSON+"Transfer-Encoding: xchunked\r\n", insert), false, 501, ""},
		{"unknown expectation", post(isJSON+"Expect: 200-maybe\r\n"+length(len(insert)), insert), false, 417, ""},
		{"TRACE", "TRACE /v1/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n", false, 405, "method_not_allowed"},
		{"CONNECT", "CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", false, 405, "method_not_allowed"},
		{"no Host", "GET /v1/jobs HTTP/1.1\r\n\r\n", false, 400, ""},
		{"URI of 16 KiB", get("/v1/jobs?q="+strings.Repeat("a", 16<<10), ""), false, 414, "uri_too_long"},
		{"dot segments", get("/v1/jobs/%2e%2e/admin", ""), false, 404, "not_found"},
		{"encoded slash", get("/v1/queues/a%2Fb", ""), false, 404, "not_found"},
		{"bad escape in the query", get("/v1/jobs?q=%zz", ""), false, 400, "malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			resp, body := f.raw(t, tt.text, tt.half)
			if resp.StatusCode != tt.status {
				t.Fatalf("= %d %s, want %d", resp.StatusCode, body, tt.status)
			}
			if tt.code == "" {
				return
			}
			if p := (answer{resp.StatusCode, resp.Header, body}).problem(t); p.Code != tt.code {
				t.Errorf("code = %q, want %q", p.Code, tt.code)
			}
			if tt.status == 405 && resp.Header.Get("Allow") == "" {
				t.Error("no Allow")
			}
		})
	}
}

// A caller that sends its headers too slowly is cut off.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	f := start(t)
	conn, err := net.Dial("tcp", f.server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX-Slow"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); err != nil {
		t.Errorf("the connection was not closed by the server: %v", err)
	}
}

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, tt := range []struct {
		header string
		status int
	}{
		{"Content-Type: application/json", 202},
		{"Content-Type: Application/JSON; charset=UTF-8", 202},
		{`Content-Type: application/json;charset="utf-8"`, 202},
		{"Content-Type: text/plain", 415},
		{"Content-Type: application/json; charset=utf-16", 415},
		{"Content-Type: application/json; profile=x", 415},
		{"Content-Type: application/problem+json", 415},
		{"Content-Type: ", 415},
		{"Content-Encoding: identity", 202},
		{"Content-Encoding: br", 415},
		{"Content-Encoding: gzip, gzip", 415},
		{"Content-Encoding: gzip", 400},
		{"Accept: */*", 202},
		{"Accept: text/html, application/*;q=0.5", 202},
		{"Accept: application/json;q=0.1", 202},
		{"Accept: application/xml", 406},
		{"Accept: application/json;q=0, */*", 406},
		{"Accept: application/problem+json", 406},
	} {
		got := f.do(t, "POST", "/v1/jobs", insert, as(submitterKey), tt.header)
		if got.Status != tt.status {
			t.Errorf("%s = %d %s, want %d", tt.header, got.Status, got.Body, tt.status)
		}
	}
}

func packed(t *testing.T, text io.Reader) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.Copy(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGzipRequests(t *testing.T) {
	t.Parallel()
	f := start(t)
	good := packed(t, strings.NewReader(insert))
	bomb := packed(t, io.LimitReader(spaces{}, 40<<20))
	for _, tt := range []struct {
		name, path, body string
		status           int
	}{
		{"good", "/v1/jobs", good, 202},
		{"cut", "/v1/jobs", good[:len(good)-9], 400},
		{"bomb", "/v1/jobs", bomb, 413},
		{"bomb in a batch", "/v1/jobs/batch", bomb, 413},
		{"batch", "/v1/jobs/batch", packed(t, strings.NewReader("["+insert+"]")), 202},
	} {
		if got := f.do(t, "POST", tt.path, tt.body, as(submitterKey), "Content-Encoding: gzip"); got.Status != tt.status {
			t.Errorf("%s = %d %.200s, want %d", tt.name, got.Status, got.Body, tt.status)
		}
	}
}

// spaces is white space without end.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestGzipAnswers(t *testing.T) {
	t.Parallel()
	f := start(t)
	plain := f.do(t, "GET", "/v1/kinds", "", as(viewerKey))
	for header, want := range map[string]string{"gzip": "gzip", "br, gzip;q=0.5": "gzip", "*": "gzip", "gzip;q=0": "", "br": ""} {
		got := f.do(t, "GET", "/v1/kinds", "", as(viewerKey), "Accept-Encoding: "+header)
		if got.Header.Get("Content-Encoding") != want || got.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding: %s = %q, want %q", header, got.Header.Get("Content-Encoding"), want)
		}
		if want == "" {
			continue
		}
		z, err := gzip.NewReader(strings.NewReader(got.Body))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(z); err != nil || string(text) != plain.Body {
			t.Errorf("unpacked %d bytes, %v; want the %d of the plain answer", len(text), err, len(plain.Body))
		}
	}
	small := f.do(t, "GET", "/v1/workers", "", as(viewerKey), "Accept-Encoding: gzip")
	if small.Header.Get("Content-Encoding") != "" {
		t.Errorf("a small answer is compressed")
	}
}

func TestMethodsAndPaths(t *testing.T) {
	t.Parallel()
	f := start(t)
	id := string(f.add(job.Job{Kind: "system.noop", Queue: "default", State: job.Pending, Delivery: job.AtLeastOnce, MaxAttempts: 1, CreatedAt: testNow, RunAt: testNow}))
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"POST", "/v1/kinds", 405, "GET"},
		{"GET", "/v1/jobs/batch", 400, ""}, // "batch" is no id
		{"PUT", "/v1/jobs", 405, "POST"},
		{"PATCH", "/v1/jobs/" + id, 405, "DELETE"},
		{"GET", "/v1/nothing", 404, ""},
		{"GET", "/", 404, ""},
		{"GET", "/v2/jobs", 404, ""},
		{"GET", "/v1/jobs/" + strings.ToUpper(id), 400, ""},
		{"GET", "/v1/jobs/7", 400, ""},
		{"GET", "/v1/jobs/" + string(job.NewID()), 404, ""},
		{"GET", "/v1/jobs/" + id + "?nope=1", 400, ""},
		{"GET", "/v1/jobs/" + id + "?wait=1ms&wait=1ms", 400, ""},
	} {
		got := f.do(t, tt.method, tt.path, "", as(adminKey))
		if got.Status != tt.status || !strings.Contains(got.Header.Get("Allow"), tt.allow) {
			t.Errorf("%s %s = %d, Allow %q; want %d, %q", tt.method, tt.path, got.Status, got.Header.Get("Allow"), tt.status, tt.allow)
		}
		got.problem(t)
	}
	head := f.do(t, "HEAD", "/v1/jobs/"+id, "", as(adminKey))
	if head.Status != 200 || head.Body != "" || head.Header.Get("Content-Length") == "0" {
		t.Errorf("HEAD = %d %q %v, want 200, no body, its length", head.Status, head.Body, head.Header)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	f := start(t)
	for given, kept := range map[string]bool{"abc-1_2.3": true, "a b": false, "<svg>": false, strings.Repeat("a", 129): false} {
		got := f.do(t, "GET", "/healthz", "", "X-Request-Id: "+given).Header.Get("X-Request-Id")
		if (got == given) != kept || got == "" {
			t.Errorf("X-Request-Id %q = %q, kept want %t", given, got, kept)
		}
	}
}

func TestLoopbackOnly(t *testing.T) {
	t.Parallel()
	f := start(t, open, func(cfg *api.Config, _ *api.Deps) { cfg.LoopbackOnly = true })
	for host, want := range map[string]int{
		"localhost:8080": 200, "LOCALHOST": 200, "app.localhost": 200, "127.0.0.1:1": 200, "[::1]:8080": 200, "[::1]": 200, "127.1.2.3": 200,
		"evil.example": 421, "localhost.evil.example": 421, "192.168.0.1": 421, "169.254.169.254": 421, "127.0.0.1.evil.example:80": 421,
	} {
		if got := f.do(t, "GET", "/v1/jobs", "", "Host: "+host); got.Status != want {
			t.Errorf("Host: %s = %d, want %d", host, got.Status, want)
		}
	}
	if resp, body := f.raw(t, "GET /v1/jobs HTTP/1.1\r\nHost: \r\n\r\n", false); resp.StatusCode != 421 {
		t.Errorf("empty Host = %d %s, want 421", resp.StatusCode, body)
	}
}

func TestOtherSites(t *testing.T) {
	t.Parallel()
	none := start(t, open)
	cors := start(t, open, func(cfg *api.Config, _ *api.Deps) { cfg.CORSOrigins = []string{"https://app.example.com"} })
	for _, tt := range []struct {
		name   string
		f      *fixture
		method string
		lines  []string
		status int
		origin string
	}{
		{"another site posts", none, "POST", []string{"Sec-Fetch-Site: cross-site"}, 403, ""},
		{"another origin posts", none, "POST", []string{"Origin: https://evil.example"}, 403, ""},
		{"same origin posts", none, "POST", []string{"Sec-Fetch-Site: same-origin"}, 200, ""},
		{"no browser posts", none, "POST", nil, 200, ""},
		{"preflight without CORS", none, "OPTIONS", []string{"Origin: https://evil.example", "Access-Control-Request-Method: POST"}, 204, ""},
		{"preflight from elsewhere", cors, "OPTIONS", []string{"Origin: https://evil.example", "Access-Control-Request-Method: POST"}, 204, ""},
		{"preflight", cors, "OPTIONS", []string{"Origin: https://app.example.com", "Access-Control-Request-Method: POST"}, 204, "https://app.example.com"},
		{"trusted origin posts", cors, "POST", []string{"Origin: https://app.example.com", "Sec-Fetch-Site: cross-site"}, 200, "https://app.example.com"},
		{"other origin posts", cors, "POST", []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}, 403, ""},
	} {
		got := tt.f.do(t, tt.method, "/v1/queues/default/pause", "", tt.lines...)
		if got.Status != tt.status || got.Header.Get("Access-Control-Allow-Origin") != tt.origin {
			t.Errorf("%s = %d, allowed %q; want %d, %q", tt.name, got.Status, got.Header.Get("Access-Control-Allow-Origin"), tt.status, tt.origin)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	f := start(t, func(cfg *api.Config, _ *api.Deps) {
		cfg.Certificate, cfg.CertificateKey = write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", private)
	})
	pool := x509.NewCertPool()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(cert)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true, DisableKeepAlives: true}}
	resp, err := client.Get("https://" + f.server.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != 200 || resp.ProtoMajor != 2 {
		t.Errorf("GET /healthz = %d over %s, want 200 over HTTP/2", resp.StatusCode, resp.Proto)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	f := start(t)
	for name, change := range map[string]func(*api.Config){
		"port in use":    func(c *api.Config) { c.Listen = f.server.Addr().String() },
		"no certificate": func(c *api.Config) { c.Certificate, c.CertificateKey = "/nowhere.pem", "/nowhere.key" },
	} {
		cfg := api.Config{Listen: "127.0.0.1:0", Queues: []string{"default"}}
		change(&cfg)
		server, err := api.New(cfg, minimalDeps())
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Start(t.Context()); err == nil {
			t.Errorf("%s: Start() = nil, want an error", name)
		}
	}
}
