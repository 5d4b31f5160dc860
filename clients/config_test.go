package clients_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/clients"
)

func secret(s string) func() string { return func() string { return s } }

func TestConfigValid(t *testing.T) {
	t.Parallel()
	for _, cfg := range []clients.Config{
		{Name: "crm", BaseURL: "https://api.example.com"},
		{Name: "crm-2_b", BaseURL: "http://[::1]:8080/v2/", Auth: clients.Auth{Type: "none"}, Redirects: 3, MaxRetries: 5},
		{Name: "a", BaseURL: "https://h/v2", Auth: clients.Auth{Type: "bearer", Token: secret("t")}, Protocol: "http2"},
		{Name: "a", BaseURL: "https://h", Auth: clients.Auth{Type: "basic", Username: secret("u"), Password: secret("p")}},
		{Name: "a", BaseURL: "https://h", Auth: clients.Auth{Type: "api_key", In: "query", Name: "key", Key: secret("k")}},
		{Name: "a", BaseURL: "https://h", Auth: clients.Auth{Type: "api_key", In: "header", Name: "Authorization", Key: secret("k")}},
		{Name: "a", BaseURL: "https://h", Proxy: "socks5://u:p@10.0.0.1:1080", AllowHeaders: []string{"Origin"}},
		{Name: "a", BaseURL: "https://h", Idempotency: clients.Idempotency{Header: "Idempotency-Key", Format: "string", TTL: time.Hour, OnAmbiguous: "retry"}},
		{Name: "a", BaseURL: "https://h", Auth: clients.Auth{Type: "oauth2", TokenURL: "https://h/token", ClientID: "i", ClientSecret: secret("s")}},
		{Name: "a", BaseURL: "https://h", Auth: clients.Auth{Type: "hmac", Secret: secret("s"), Header: "Authorization", TimestampHeader: "X-Time", Algorithm: "sha512"}},
		{Name: "a", BaseURL: "https://h", Auth: clients.Auth{Type: "standard_webhooks", Secrets: []func() string{secret("whsec_")}}},
		{Name: "a", BaseURL: "https://h", Auth: clients.Auth{Type: "custom", Name: "ours", Sign: func(*http.Request) error { return nil }}},
	} {
		if err := cfg.Validate(); err != nil {
			t.Errorf("Validate(%+v) = %v, want nil", cfg, err)
		}
	}
}

func TestConfigInvalid(t *testing.T) {
	t.Parallel()
	tests := []struct {
		setting string
		change  func(*clients.Config)
	}{
		{"clients: \"Crm\"", func(c *clients.Config) { c.Name = "Crm" }},
		{"base_url", func(c *clients.Config) { c.BaseURL = "" }},
		{"base_url", func(c *clients.Config) { c.BaseURL = "ftp://h" }},
		{"base_url", func(c *clients.Config) { c.BaseURL = "https://canary:canary@h" }},
		{"base_url", func(c *clients.Config) { c.BaseURL = "https://h/?a=b" }},
		{"base_url", func(c *clients.Config) { c.BaseURL = "https://h/#a" }},
		{"base_url", func(c *clients.Config) { c.BaseURL = "https://h/a/../b" }},
		{"base_url", func(c *clients.Config) { c.BaseURL = "https://h/a%2e%2e/%2e%2e" }},
		{"base_url", func(c *clients.Config) { c.BaseURL = "http://canary\x7f@h" }},
		{"auth.token_url", func(c *clients.Config) {
			c.Auth = clients.Auth{Type: "oauth2", ClientID: "i", ClientSecret: secret("s")}
		}},
		{"auth.token_url", func(c *clients.Config) {
			c.Auth = clients.Auth{Type: "oauth2", TokenURL: "https://u:canary@h/token", ClientID: "i", ClientSecret: secret("s")}
		}},
		{"auth.client_id", func(c *clients.Config) {
			c.Auth = clients.Auth{Type: "oauth2", TokenURL: "https://h", ClientSecret: secret("s")}
		}},
		{"auth.client_secret", func(c *clients.Config) { c.Auth = clients.Auth{Type: "oauth2", TokenURL: "https://h", ClientID: "i"} }},
		{"auth.secret", func(c *clients.Config) { c.Auth = clients.Auth{Type: "hmac", Header: "X-Sig"} }},
		{"auth.header", func(c *clients.Config) { c.Auth = clients.Auth{Type: "hmac", Secret: secret("s"), Header: "Host"} }},
		{"auth.timestamp_header", func(c *clients.Config) {
			c.Auth = clients.Auth{Type: "hmac", Secret: secret("s"), Header: "X-Sig", TimestampHeader: "x-sig"}
		}},
		{"auth.algorithm", func(c *clients.Config) {
			c.Auth = clients.Auth{Type: "hmac", Secret: secret("s"), Header: "X-Sig", Algorithm: "md5"}
		}},
		{"auth.secrets", func(c *clients.Config) { c.Auth = clients.Auth{Type: "standard_webhooks"} }},
		{"auth.name: \"ours\" is not registered", func(c *clients.Config) { c.Auth = clients.Auth{Type: "custom", Name: "ours"} }},
		{"auth.type: \"digest\" is not known", func(c *clients.Config) { c.Auth.Type = "digest" }},
		{"auth.token", func(c *clients.Config) { c.Auth.Type = "bearer" }},
		{"auth.username", func(c *clients.Config) { c.Auth = clients.Auth{Type: "basic", Password: secret("p")} }},
		{"auth.password", func(c *clients.Config) { c.Auth = clients.Auth{Type: "basic", Username: secret("p")} }},
		{"auth.key", func(c *clients.Config) { c.Auth = clients.Auth{Type: "api_key", In: "query", Name: "k"} }},
		{"auth.in", func(c *clients.Config) { c.Auth = clients.Auth{Type: "api_key", Name: "k", Key: secret("k")} }},
		{"auth.name", func(c *clients.Config) {
			c.Auth = clients.Auth{Type: "api_key", In: "header", Name: "Host", Key: secret("k")}
		}},
		{"timeout", func(c *clients.Config) { c.Timeout = -1 }},
		{"timeout", func(c *clients.Config) { c.Timeout = 25 * time.Hour }},
		{"max_retries", func(c *clients.Config) { c.MaxRetries = -1 }},
		{"pool.max_idle", func(c *clients.Config) { c.Pool.MaxIdle = -1 }},
		{"pool.max_connections", func(c *clients.Config) { c.Pool.MaxConnections = -1 }},
		{"pool.idle_timeout", func(c *clients.Config) { c.Pool.IdleTimeout = -1 }},
		{"max_response", func(c *clients.Config) { c.MaxResponse = -1 }},
		{"redirects", func(c *clients.Config) { c.Redirects = 11 }},
		{"allow_headers: \"Cookie\"", func(c *clients.Config) { c.AllowHeaders = []string{"Origin", "Cookie"} }},
		{"idempotency.header", func(c *clients.Config) { c.Idempotency.Header = "a b" }},
		{"idempotency.format", func(c *clients.Config) { c.Idempotency.Format = "json" }},
		{"idempotency.on_ambiguous", func(c *clients.Config) { c.Idempotency.OnAmbiguous = "probe" }},
		{"idempotency.ttl", func(c *clients.Config) { c.Idempotency.TTL = -1 }},
		{"protocol", func(c *clients.Config) { c.Protocol = "http3" }},
		{"proxy", func(c *clients.Config) { c.Proxy = "canary" }},
		{"proxy", func(c *clients.Config) { c.Proxy = "ftp://canary@h" }},
		{"tls: ca", func(c *clients.Config) { c.TLS.CA = "/does/not/exist" }},
		{"tls: ca", func(c *clients.Config) { c.TLS.CA = "-----BEGIN CERTIFICATE-----" }},
		{"tls: cert", func(c *clients.Config) { c.TLS.Cert = "a" }},
		{"tls: cert", func(c *clients.Config) { c.TLS.Cert, c.TLS.Key = "/does/not/exist", "/does/not/exist" }},
	}
	for _, tt := range tests {
		t.Run(tt.setting, func(t *testing.T) {
			t.Parallel()
			cfg := clients.Config{Name: "crm", BaseURL: "https://api.example.com"}
			tt.change(&cfg)
			err := cfg.Validate()
			if err == nil || !strings.Contains(err.Error(), tt.setting) || strings.Contains(err.Error(), "canary") {
				t.Errorf("Validate = %v, want an error about %s without the setting's secrets", err, tt.setting)
			}
			if c, openErr := clients.Open(cfg, nil, nil); openErr == nil {
				c.Close()
				t.Errorf("Open = nil error, want %v", err)
			}
		})
	}
}

func TestValidateReportsEverything(t *testing.T) {
	t.Parallel()
	err := clients.Config{Name: "crm", Timeout: -1, Protocol: "x"}.Validate()
	if got := strings.Split(err.Error(), "\n"); len(got) != 3 {
		t.Errorf("Validate = %q, want three errors", got)
	}
}
