package clients_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/clients/clientstest"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

func mac(h func() hash.Hash, key, text string) []byte {
	m := hmac.New(h, []byte(key))
	m.Write([]byte(text))
	return m.Sum(nil)
}

var order = httpop.Request{Method: "POST", Path: "/orders", Body: []byte(`{"item":"tea"}`), ContentType: "application/json", IdempotencyKey: "0192.0"}

// recent fails unless text is a time of the last minute, in seconds.
func recent(t *testing.T, text string) {
	t.Helper()
	seconds, err := strconv.ParseInt(text, 10, 64)
	if age := time.Since(time.Unix(seconds, 0)); err != nil || age < -time.Second || age > time.Minute {
		t.Errorf("the time is %q, want now in seconds", text)
	}
}

func TestHMAC(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		algorithm clients.Algorithm
		hash      func() hash.Hash
		timestamp string
	}{
		{"body", "", sha256.New, ""},
		{"body and time", clients.SHA256, sha256.New, "X-Time"},
		{"sha512", clients.SHA512, sha512.New, "X-Time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := clientstest.New(t, clientstest.Options{})
			c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback,
				Auth: clients.Auth{Type: "hmac", Secret: secret("canary"), Algorithm: tt.algorithm, Header: "X-Signature", TimestampHeader: tt.timestamp}})
			if _, err := c.Do(t.Context(), order); err != nil {
				t.Fatal(err)
			}
			got := u.Requests()[0]
			signed := string(order.Body)
			if tt.timestamp != "" {
				recent(t, got.Header.Get(tt.timestamp))
				signed = got.Header.Get(tt.timestamp) + "." + signed
			}
			if sig, want := got.Header.Get("X-Signature"), hex.EncodeToString(mac(tt.hash, "canary", signed)); sig != want {
				t.Errorf("X-Signature = %q, want %q", sig, want)
			}
			dry, err := c.DryRun(order)
			if err != nil || dry.Headers["x-signature"] != "[secret]" {
				t.Errorf("DryRun = %+v, %v, want the signature hidden", dry, err)
			}
			forged := order
			forged.Headers = map[string]string{"x-signature": "mine"}
			_, err = c.Do(t.Context(), forged)
			wantFailure(t, err, job.ClassPermanent, job.CodeInvalid)
		})
	}
}

// TestStandardWebhooks: every send of a call has the same id, which holds no
// full stop, and a signature for each secret.
func TestStandardWebhooks(t *testing.T) {
	t.Parallel()
	keys := []string{strings.Repeat("o", 32), strings.Repeat("n", 24)}
	var secrets []func() string
	for _, key := range keys {
		secrets = append(secrets, secret("whsec_"+base64.StdEncoding.EncodeToString([]byte(key))))
	}
	u := clientstest.New(t, clientstest.Options{})
	u.On("/orders", clientstest.Answer(503, ""), clientstest.Answer(200, "{}"))
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, MaxRetries: 1, RetryDelay: time.Millisecond,
		Auth: clients.Auth{Type: "standard_webhooks", Secrets: secrets}})
	if _, err := c.Do(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	bare := order
	bare.IdempotencyKey = ""
	if _, err := c.Do(t.Context(), bare); err != nil {
		t.Fatal(err)
	}
	got := u.Requests()
	if id := got[0].Header.Get("Webhook-Id"); id != "0192_0" || got[1].Header.Get("Webhook-Id") != id {
		t.Errorf("webhook-id = %q, then %q, want 0192_0 twice", id, got[1].Header.Get("Webhook-Id"))
	}
	if id := got[2].Header.Get("Webhook-Id"); id == "" || strings.Contains(id, ".") {
		t.Errorf("webhook-id of a request without a key = %q, want one", id)
	}
	for _, r := range got {
		recent(t, r.Header.Get("Webhook-Timestamp"))
		text := r.Header.Get("Webhook-Id") + "." + r.Header.Get("Webhook-Timestamp") + "." + string(r.Body)
		var want []string
		for _, key := range keys {
			want = append(want, "v1,"+base64.StdEncoding.EncodeToString(mac(sha256.New, key, text)))
		}
		if sig := r.Header.Get("Webhook-Signature"); sig != strings.Join(want, " ") {
			t.Errorf("webhook-signature = %q, want %q", sig, want)
		}
	}
	if dry, err := c.DryRun(order); err != nil || dry.Headers["webhook-signature"] != "v1,[secret] v1,[secret]" || dry.Headers["webhook-id"] != "0192_0" {
		t.Errorf("DryRun = %+v, %v, want id and time, and the signatures hidden", dry, err)
	}
}

func TestCustomAuth(t *testing.T) {
	t.Parallel()
	u := clientstest.New(t, clientstest.Options{})
	u.On("/echo", clientstest.Answer(400, "no canary-one, no canary-two"))
	var fail error
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, Auth: clients.Auth{Type: "custom", Name: "ours", Sign: func(r *http.Request) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "canary-one")
		r.Header.Set("X-Length", strconv.Itoa(len(body)))
		query := r.URL.Query()
		query.Set("key", "canary-two")
		r.URL.RawQuery, r.URL.Host, r.Method = query.Encode(), "evil.example.com", "DELETE"
		return fail
	}}})
	if _, err := c.Do(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	got := u.Requests()[0]
	if got.Method != "POST" || got.Target != "/orders?key=canary-two" || string(got.Body) != string(order.Body) ||
		got.Header.Get("Authorization") != "canary-one" || got.Header.Get("X-Length") != strconv.Itoa(len(order.Body)) {
		t.Errorf("the upstream got %+v, want the request with the Signer's header and query, and nothing else of its", got)
	}
	_, err := c.Do(t.Context(), httpop.Request{Method: "GET", Path: "/echo"})
	if f := wantFailure(t, err, job.ClassPermanent, job.CodeUpstreamStatus); f.Message != "client up: it answered 400: no [secret], no [secret]" {
		t.Errorf("Message = %q, want what the Signer set hidden", f.Message)
	}
	if dry, err := c.DryRun(order); err != nil || dry.Headers["authorization"] != "" || strings.Contains(dry.URL, "canary") {
		t.Errorf("DryRun = %+v, %v, want the Signer not asked", dry, err)
	}
	fail = errors.New("the vault is sealed")
	_, err = c.Do(t.Context(), order)
	if f := wantFailure(t, err, job.ClassRetryable, job.CodeAuthFailed); f.Message != `client up: its auth "ours" failed` || !errors.Is(f, fail) {
		t.Errorf("Do = %v, want the Signer's error for the log only", f)
	}
	fail = job.Permanent(job.CodeAuthFailed, "no such tenant")
	_, err = c.Do(t.Context(), order)
	wantFailure(t, err, job.ClassPermanent, job.CodeAuthFailed)
	if n := len(u.Requests()); n != 2 {
		t.Errorf("the upstream got %d requests, want 2: none that could not be signed", n)
	}
}
