package clients_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/clients/clientstest"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

var auths = []struct {
	name   string
	auth   clients.Auth
	header string
	value  string
	dry    string
	query  string
}{
	{"none", clients.Auth{}, "Authorization", "", "", ""},
	{"bearer", clients.Auth{Type: "bearer", Token: secret("canary+1")}, "Authorization", "Bearer canary+1", "Bearer [secret]", ""},
	{"basic", clients.Auth{Type: "basic", Username: secret("ada"), Password: secret("canary")}, "Authorization", "Basic YWRhOmNhbmFyeQ==", "Basic [secret]", ""},
	{"api key in a header", clients.Auth{Type: "api_key", In: "header", Name: "X-Api-Key", Key: secret("canary")}, "X-Api-Key", "canary", "[secret]", ""},
	{"api key in the query", clients.Auth{Type: "api_key", In: "query", Name: "key", Key: secret("canary+1")}, "Authorization", "", "", "&key=canary%2B1"},
}

func TestRequestOnTheWire(t *testing.T) {
	t.Parallel()
	for _, tt := range auths {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := clientstest.New(t, clientstest.Options{})
			c := open(t, clients.Config{
				Name: "up", BaseURL: u.URL() + "/v2", Auth: tt.auth, AllowNetworks: loopback, AllowHeaders: []string{"Origin"},
				Idempotency: clients.Idempotency{Header: "X-Request-Key", Format: "string"},
			})
			r := httpop.Request{
				Method: "POST", Path: "/orders/a%2Fb/ö", Query: map[string][]string{"q": {"a b", "&"}}, Body: []byte(`{"a":1}`), ContentType: "application/json",
				Headers:        map[string]string{"X-Tag": "one", "origin": "here"},
				IdempotencyKey: `a"b\c`, Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			}
			if _, err := c.Do(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			got := u.Requests()[0]
			if want := "/v2/orders/a%2Fb/%C3%B6?q=a+b&q=%26" + tt.query; got.Target != want {
				t.Errorf("target = %q, want %q", got.Target, want)
			}
			if string(got.Body) != `{"a":1}` {
				t.Errorf("body = %q, want what was given", got.Body)
			}
			headers := map[string]string{
				tt.header: tt.value, "Content-Type": "application/json", "Content-Length": "7", "X-Tag": "one", "Origin": "here", "User-Agent": "asyncops",
				"X-Request-Key": `"a\"b\\c"`, "Traceparent": r.Traceparent, "Accept-Encoding": "gzip, zstd",
			}
			for name, want := range headers {
				if v := got.Header.Get(name); v != want {
					t.Errorf("header %s = %q, want %q", name, v, want)
				}
			}

			dry, err := c.DryRun(r)
			if err != nil {
				t.Fatal(err)
			}
			if v := dry.Headers[strings.ToLower(tt.header)]; v != tt.dry {
				t.Errorf("DryRun: header %s = %q, want %q", tt.header, v, tt.dry)
			}
			query := ""
			if tt.query != "" {
				query = "&key=[secret]"
			}
			if want := u.URL() + "/v2/orders/a%2Fb/%C3%B6?q=a+b&q=%26" + query; dry.URL != want {
				t.Errorf("DryRun: URL = %q, want %q", dry.URL, want)
			}
			for name, value := range dry.Headers {
				if strings.Contains(value, "canary") || strings.Contains(value, "YWRh") {
					t.Errorf("DryRun shows a secret in %s", name)
				}
			}
			if len(u.Requests()) != 1 {
				t.Errorf("the upstream got %d requests, want 1: DryRun sends nothing", len(u.Requests()))
			}
		})
	}
}

func TestDryRunRefuses(t *testing.T) {
	t.Parallel()
	c := open(t, clients.Config{Name: "up", BaseURL: "https://api.example.com"})
	_, err := c.DryRun(httpop.Request{Method: "GET", Path: "//evil"})
	wantFailure(t, err, job.ClassPermanent, job.CodeInvalid)
}

func TestSecretsAreReadForEverySend(t *testing.T) {
	t.Parallel()
	var token atomic.Value
	token.Store("first")
	u := clientstest.New(t, clientstest.Options{})
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback,
		Auth: clients.Auth{Type: "bearer", Token: func() string { return token.Load().(string) }}})
	get := httpop.Request{Method: "GET", Path: "/"}
	for _, want := range []string{"first", "second"} {
		token.Store(want)
		if _, err := c.Do(t.Context(), get); err != nil {
			t.Fatal(err)
		}
		records := u.Requests()
		if got := records[len(records)-1].Header.Get("Authorization"); got != "Bearer "+want {
			t.Errorf("Authorization = %q, want Bearer %s", got, want)
		}
	}
	for _, bad := range []string{"", "canary\r\nX: y"} {
		token.Store(bad)
		_, err := c.Do(t.Context(), get)
		if f := wantFailure(t, err, job.ClassPermanent, job.CodeInvalid); strings.Contains(f.Error(), "canary") {
			t.Errorf("Do = %v, which shows the secret", f)
		}
	}
	if got := len(u.Requests()); got != 2 {
		t.Errorf("the upstream got %d requests, want 2", got)
	}
}

// TestErrorsHoldNoSecret: neither the credentials nor the query of a call that
// failed are in its error, even if the upstream repeats them.
func TestErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	for _, tt := range auths[1:] {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := clientstest.New(t, clientstest.Options{})
			u.On("/echo", clientstest.Answer(400, strings.Repeat("x", 250)+"canary+1 canary%2B1 canary YWRhOmNhbmFyeQ=="))
			u.On("/short", clientstest.Answer(400, "canary+1 canary%2B1 canary YWRhOmNhbmFyeQ=="))
			u.On("/cut", clientstest.Cut())
			u.On("/truncate", clientstest.Truncate(200))
			c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, Auth: tt.auth})
			for _, path := range []string{"/echo", "/short", "/cut", "/truncate"} {
				_, err := c.Do(t.Context(), httpop.Request{Method: "POST", Path: path, Query: map[string][]string{"q": {"verysecret"}}})
				if err == nil {
					t.Fatalf("Do(%s) = nil error, want a Failure", path)
				}
				text := strings.ReplaceAll(err.Error(), "canary ", "") // only the whole secret of this client is one
				if strings.Contains(text, tt.value) && tt.value != "" || strings.Contains(text, "verysecret") || strings.Contains(text, tt.query) && tt.query != "" {
					t.Errorf("Do(%s) = %v, which shows a secret", path, err)
				}
			}
		})
	}
}

// TestBrokenExcerptHoldsNoSecret: a body that breaks off in the middle of a
// secret shows nothing of it.
func TestBrokenExcerptHoldsNoSecret(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 200\r\n\r\nWhat I was sent is canary-cana"))
	}))
	defer server.Close()
	c := open(t, clients.Config{Name: "up", BaseURL: server.URL, AllowNetworks: loopback,
		Auth: clients.Auth{Type: "bearer", Token: secret("canary-canary")}})
	_, err := c.Do(t.Context(), httpop.Request{Method: "GET", Path: "/x"})
	f := wantFailure(t, err, job.ClassPermanent, job.CodeUpstreamStatus)
	if !strings.Contains(f.Message, "What I was") || strings.Contains(f.Message, "cana") {
		t.Errorf("Message = %q, want what came before the secret", f.Message)
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	cfg := clients.Config{AllowHeaders: []string{"Origin"}, Idempotency: clients.Idempotency{Header: "X-Key"},
		Auth: clients.Auth{Type: "api_key", In: "header", Name: "X-Api-Key"}}
	r := httpop.Request{Method: "GET", Path: "/", Headers: map[string]string{"Origin": "a", "x-key": "b", "x-api-key": "c"}}
	refused := map[string]bool{}
	for _, f := range httpop.Check(r, cfg.Policy()) {
		refused[f.Pointer] = true
	}
	if want := map[string]bool{"/headers/x-key": true, "/headers/x-api-key": true}; !maps.Equal(refused, want) {
		t.Errorf("Check refuses %v, want %v", refused, want)
	}
	cfg.Auth.In = clients.InQuery
	r = httpop.Request{Method: "GET", Path: "/", Query: map[string][]string{"X-Api-Key": {"mine"}}}
	if got := httpop.Check(r, cfg.Policy()); len(got) != 1 {
		t.Errorf("Check = %v, want the client's own query parameter refused", got)
	}
}
