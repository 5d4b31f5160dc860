package clientstest

import (
	"encoding/base64"
	"net/http"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// authCases are those of credentials that are more than a text to send.
func authCases() []Case {
	post := httpop.Request{Method: http.MethodPost, Body: []byte(`{"a":1}`), ContentType: "application/json", IdempotencyKey: "0192.0"}
	get := httpop.Request{Method: http.MethodGet}
	ok := Apply(Answer(http.StatusOK, `{"ok":true}`))
	token := Answer(http.StatusOK, `{"access_token":"t","token_type":"Bearer","expires_in":3600}`)
	const permanent, retryable = job.ClassPermanent, job.ClassRetryable
	return []Case{
		{Name: "oauth2", Request: post, Config: oauth2, Tokens: []Step{token}, Script: []Step{NeedsToken(ok)}, Status: 200, Sends: 1, Effects: 1},
		{Name: "oauth2, another token after 401", Request: post, Config: oauth2, Tokens: []Step{token}, Script: []Step{Answer(401, ""), ok}, Status: 200, Sends: 2, Effects: 1},
		{Name: "oauth2, 401 for good", Request: get, Config: oauth2, Tokens: []Step{token}, Script: []Step{Answer(401, "")}, Class: permanent, Code: job.CodeUpstreamStatus, Sends: 2},
		{Name: "oauth2, 401 and then cut", Request: post, Config: oauth2, Tokens: []Step{token}, Script: []Step{Answer(401, ""), Apply(Cut())}, Class: job.ClassAmbiguous, Code: job.CodeAmbiguous, Sends: 2, Effects: 1},
		{Name: "oauth2, refused", Request: post, Config: oauth2, Tokens: []Step{Answer(401, `{"error":"invalid_client"}`)}, Class: retryable, Code: job.CodeAuthFailed},
		{Name: "oauth2, down for a while", Request: post, Config: oauth2, Tokens: []Step{Answer(503, ""), Answer(503, ""), token}, Script: []Step{ok}, Status: 200, Sends: 1, Effects: 1},
		{Name: "oauth2, down", Request: post, Config: oauth2, Tokens: []Step{Cut()}, Class: retryable, Code: job.CodeUpstreamUnreachable},
		{Name: "oauth2, redirected to metadata", Request: post, Config: oauth2, Tokens: []Step{Redirect(307, "http://169.254.169.254/latest/")}, Class: retryable, Code: job.CodeAuthFailed},
		{Name: "oauth2, endless token", Request: post, Config: oauth2, Tokens: []Step{Endless(10<<30, false)}, Class: retryable, Code: job.CodeAuthFailed},
		{Name: "oauth2, canceled while waiting for a token", Request: post, Config: oauth2, Tokens: []Step{Hold(nil, token)}, Cancel: job.ErrCanceled, Class: permanent, Code: job.CodeCanceled},
		{Name: "hmac", Request: post, Config: signed(clients.Auth{Type: clients.AuthHMAC, Secret: text("s"), Header: "X-Signature"}), Script: []Step{ok}, Status: 200, Sends: 1, Effects: 1},
		{Name: "standard webhooks", Request: post, Config: signed(clients.Auth{
			Type: clients.AuthStandardWebhooks, Secrets: []func() string{text("whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 24)))},
		}), Script: []Step{Answer(503, ""), ok}, Status: 200, Sends: 2, Effects: 1},
		{Name: "a secret that cannot be sent", Request: post, Config: signed(clients.Auth{Type: clients.AuthBearer, Token: text("a\nb")}), Class: permanent, Code: job.CodeInvalid},
	}
}

func oauth2(c *clients.Config) {
	c.Auth = clients.Auth{Type: clients.AuthOAuth2, TokenURL: c.BaseURL + tokenPath, ClientID: "me", ClientSecret: text("s")}
}

func signed(a clients.Auth) func(*clients.Config) { return func(c *clients.Config) { c.Auth = a } }

func text(s string) func() string { return func() string { return s } }

// NeedsToken does as next if the request has a bearer token, and answers 401
// otherwise.
func NeedsToken(next Step) Step {
	return func(x *Exchange) {
		if x.Record.Header.Get("Authorization") != "Bearer t" {
			Answer(http.StatusUnauthorized, "")(x)
			return
		}
		next(x)
	}
}
