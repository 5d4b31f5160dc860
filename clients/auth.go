package clients

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"github.com/asyncops/asyncops/httpop"
)

// AuthType is how an upstream learns who calls.
type AuthType string

const (
	AuthNone             AuthType = "none"
	AuthBearer           AuthType = "bearer"            // Token
	AuthAPIKey           AuthType = "api_key"           // In, Name, Key
	AuthBasic            AuthType = "basic"             // Username, Password
	AuthOAuth2           AuthType = "oauth2"            // client credentials: TokenURL, ClientID, ClientSecret, Scopes, Audience
	AuthHMAC             AuthType = "hmac"              // Secret, Algorithm, Header, TimestampHeader
	AuthStandardWebhooks AuthType = "standard_webhooks" // Secrets
	AuthCustom           AuthType = "custom"            // Name, Sign
)

// In is where an API key is put.
type In string

const (
	InHeader In = "header"
	InQuery  In = "query"
)

// Algorithm is the hash of an HMAC.
type Algorithm string

const (
	SHA256 Algorithm = "sha256"
	SHA512 Algorithm = "sha512"
)

// Auth is how requests are signed. Secrets are functions, called for every
// send, so that one that changes is taken up; they must be safe for concurrent
// use and answer at once.
type Auth struct {
	Type     AuthType // "" means AuthNone
	Token    func() string
	In       In
	Name     string // api_key: of the header or query parameter; custom: for messages
	Key      func() string
	Username func() string
	Password func() string

	// TokenURL is dialled under the same AllowNetworks, TLS and Proxy as the
	// upstream.
	TokenURL     string
	ClientID     string
	ClientSecret func() string
	Scopes       []string
	Audience     string // "" asks for none

	Secret          func() string
	Algorithm       Algorithm // "" means SHA256
	Header          string    // that carries the signature, in hexadecimal
	TimestampHeader string    // that carries the time in seconds, which is signed too; "" means none

	// Secrets are whsec_ and a key in base64 each; every one signs.
	Secrets []func() string

	Sign Signer
}

type problem struct{ setting, message string }

func (a Auth) problems() []problem {
	var ps []problem
	need := func(ok bool, setting, message string) {
		if !ok {
			ps = append(ps, problem{setting, message})
		}
	}
	given := func(ok bool, settings ...string) {
		need(ok, "auth."+settings[0], fmt.Sprintf("missing; auth type %s needs it", a.Type))
	}
	header := func(name, setting string) {
		need(httpop.CredentialHeader(name), "auth."+setting, fmt.Sprintf("%q is not the name of a header that a signature may go into", name))
	}
	switch a.Type {
	case AuthNone:
	case AuthBearer:
		given(a.Token != nil, "token")
	case AuthBasic:
		given(a.Username != nil, "username")
		given(a.Password != nil, "password")
	case AuthAPIKey:
		given(a.Key != nil, "key")
		need(a.In == InHeader || a.In == InQuery, "auth.in", fmt.Sprintf("%q is not known; want header or query", a.In))
		need(a.Name != "" && a.In == InQuery || httpop.CredentialHeader(a.Name), "auth.name", fmt.Sprintf("%q is not the name of a %s that a key may go into", a.Name, orDefault(a.In, InHeader)))
	case AuthOAuth2:
		u, err := url.Parse(a.TokenURL)
		plain := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && u.Fragment == ""
		need(plain, "auth.token_url", "not a URL such as https://login.example.com/oauth2/token")
		given(a.ClientID != "", "client_id")
		given(a.ClientSecret != nil, "client_secret")
	case AuthHMAC:
		given(a.Secret != nil, "secret")
		header(a.Header, "header")
		if a.TimestampHeader != "" {
			header(a.TimestampHeader, "timestamp_header")
			need(!strings.EqualFold(a.TimestampHeader, a.Header), "auth.timestamp_header", "is the header of the signature too; give it another")
		}
		need(a.Algorithm == "" || a.Algorithm == SHA256 || a.Algorithm == SHA512, "auth.algorithm", fmt.Sprintf("%q is not known; want sha256 or sha512", a.Algorithm))
	case AuthStandardWebhooks:
		given(len(a.Secrets) > 0, "secrets")
	case AuthCustom:
		given(a.Name != "", "name")
		need(a.Sign != nil, "auth.name", fmt.Sprintf("%q is not registered; register a Signer of this name in Go, or choose another type", a.Name))
	default:
		ps = append(ps, problem{"auth.type", fmt.Sprintf("%q is not known; want one of none, bearer, api_key, basic, oauth2, hmac, standard_webhooks, custom", a.Type)})
	}
	return ps
}

// reserved are the headers and query parameters that are the client's own.
func (a Auth) reserved() (headers, query []string) {
	switch {
	case a.Type == AuthAPIKey && a.In == InQuery:
		return nil, []string{a.Name}
	case a.Type == AuthAPIKey:
		return []string{a.Name}, nil
	case a.Type == AuthHMAC && a.TimestampHeader != "":
		return []string{a.Header, a.TimestampHeader}, nil
	case a.Type == AuthHMAC:
		return []string{a.Header}, nil
	case a.Type == AuthStandardWebhooks:
		return []string{webhookID, webhookTimestamp, webhookSignature}, nil
	}
	return nil, nil
}

// webhookKey is the key in a secret of Standard Webhooks; false if it is none.
func webhookKey(secret string) ([]byte, bool) {
	text, ok := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(text)
	return key, ok && err == nil && len(key) > 0
}
