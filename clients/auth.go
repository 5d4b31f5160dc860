package clients

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/asyncops/asyncops/httpop"
)

// AuthType is how an upstream learns who calls.
type AuthType string

const (
	AuthNone   AuthType = "none"
	AuthBearer AuthType = "bearer"  // Token
	AuthAPIKey AuthType = "api_key" // In, Name, Key
	AuthBasic  AuthType = "basic"   // Username, Password
)

// laterAuthTypes are in the configuration's language and not built yet.
var laterAuthTypes = []AuthType{"oauth2", "hmac", "standard_webhooks", "custom"}

// In is where an API key is put.
type In string

const (
	InHeader In = "header"
	InQuery  In = "query"
)

// Auth is how requests are signed. Secrets are functions, called for every
// send, so that one that changes is taken up; they must be safe for concurrent
// use and answer at once.
type Auth struct {
	Type     AuthType // "" means AuthNone
	Token    func() string
	In       In
	Name     string // of the header or query parameter
	Key      func() string
	Username func() string
	Password func() string
}

type problem struct{ setting, message string }

func (a Auth) problems() []problem {
	var ps []problem
	need := func(ok bool, setting, message string) {
		if !ok {
			ps = append(ps, problem{setting, message})
		}
	}
	switch a.Type {
	case AuthNone:
	case AuthBearer:
		need(a.Token != nil, "auth.token", "missing; auth type bearer needs it")
	case AuthBasic:
		need(a.Username != nil, "auth.username", "missing; auth type basic needs it")
		need(a.Password != nil, "auth.password", "missing; auth type basic needs it")
	case AuthAPIKey:
		need(a.Key != nil, "auth.key", "missing; auth type api_key needs it")
		need(a.In == InHeader || a.In == InQuery, "auth.in", fmt.Sprintf("%q is not known; want header or query", a.In))
		// Authorization itself is a common place for keys; it is no request's to set anyway.
		name := a.Name != "" && (a.In == InQuery || httpop.AllowableHeader(a.Name) || strings.EqualFold(a.Name, "Authorization"))
		need(name, "auth.name", fmt.Sprintf("%q is not the name of a %s that a key may go into", a.Name, orDefault(a.In, InHeader)))
	default:
		message := fmt.Sprintf("%q is not known", a.Type)
		if slices.Contains(laterAuthTypes, a.Type) {
			message = fmt.Sprintf("%q is not available yet", a.Type)
		}
		ps = append(ps, problem{"auth.type", message + "; want one of none, bearer, api_key, basic"})
	}
	return ps
}

// hidden stands for every secret in a Preview and in texts for job owners.
const hidden = "[secret]"

// apply puts the credentials on a request. read is called on each secret.
func (a Auth) apply(req *http.Request, read func(secret func() string) (string, error)) error {
	switch a.Type {
	case AuthBearer:
		token, err := read(a.Token)
		if err != nil {
			return fmt.Errorf("token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	case AuthBasic:
		username, password := a.Username(), a.Password()
		credentials, err := read(func() string { return base64.StdEncoding.EncodeToString([]byte(username + ":" + password)) })
		if err != nil {
			return fmt.Errorf("username and password: %w", err)
		}
		req.Header.Set("Authorization", "Basic "+credentials)
	case AuthAPIKey:
		key, err := read(a.Key)
		if err != nil {
			return fmt.Errorf("key: %w", err)
		}
		if a.In == InHeader {
			req.Header.Set(a.Name, key)
			return nil
		}
		if req.URL.RawQuery != "" {
			req.URL.RawQuery += "&"
		}
		req.URL.RawQuery += url.QueryEscape(a.Name) + "=" + url.QueryEscape(key)
	}
	return nil
}

var errBadSecret = errors.New("empty, or not fit for a header")

// readSecret refuses what would make a broken request; it never repeats it.
func readSecret(secret func() string) (string, error) {
	s := secret()
	if s == "" || !httpop.ValidHeaderValue(s) {
		return "", errBadSecret
	}
	return s, nil
}

func hideSecret(func() string) (string, error) { return hidden, nil }

// redact replaces what this client's credentials look like in a text of the
// upstream, which may repeat what it was sent.
func (a Auth) redact(text string) string {
	var secrets []string
	add := func(s string) {
		if s != "" {
			secrets = append(secrets, s, hidden, url.QueryEscape(s), hidden)
		}
	}
	switch a.Type {
	case AuthBearer:
		add(a.Token())
	case AuthAPIKey:
		add(a.Key())
	case AuthBasic:
		username, password := a.Username(), a.Password()
		add(base64.StdEncoding.EncodeToString([]byte(username + ":" + password)))
		add(password)
	}
	return strings.NewReplacer(secrets...).Replace(text)
}
