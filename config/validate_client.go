package config

import (
	"encoding/base64"
	"reflect"
	"slices"
	"strings"

	"github.com/asyncops/asyncops/httpop"
)

func (v *validator) client(path, name string, c Client) {
	v.name(path, name)
	if c.BaseURL != "" {
		v.baseURL(path+".base_url", c.BaseURL)
	}
	if proxy := c.Proxy.Reveal(); proxy != "" {
		v.url(path+".proxy", proxy, "http", "https", "socks5")
	}
	v.keyPair(path+".tls", c.TLS.Cert, c.TLS.Key)
	if c.Pool.MaxIdle > c.Pool.MaxConnections {
		v.problem(path+".pool.max_idle", "is more than max_connections (%d); lower it, or raise the other", c.Pool.MaxConnections)
	}
	if header := c.Idempotency.Header; header != "" {
		v.header(path+".idempotency.header", header, httpop.AllowableHeader)
	}
	for i, header := range c.AllowHeaders {
		v.header(indexPath(path+".allow_headers", i), header, httpop.AllowableHeader)
	}
	v.auth(path+".auth", c.Auth)
}

func (v *validator) baseURL(setting, text string) {
	u := v.url(setting, text, "https", "http")
	switch {
	case u == nil:
	case u.User != nil:
		v.problem(setting, "holds a user or password; move them to auth: {type: basic, username: …, password: …}")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(text, "#"):
		v.problem(setting, "has a query or fragment; remove what follows the path")
	case u.Path != "":
		v.pathOf(setting, u.EscapedPath())
	}
}

// header refuses the names that may is not for: httpop knows them.
func (v *validator) header(setting, name string, may func(name string) bool) {
	switch {
	case !httpop.HeaderName(name):
		v.problem(setting, "is not the name of a header; write it like X-Request-Source")
	case !may(name):
		v.problem(setting, "is %s, which the client sets itself; name another, or remove it", name)
	}
}

// authFields lists the fields of each type of Auth: those that must be given,
// then those that may.
var authFields = map[string]struct{ required, optional []string }{
	AuthTypeNone:             {},
	AuthTypeBearer:           {required: []string{"token"}},
	AuthTypeAPIKey:           {required: []string{"name", "key"}, optional: []string{"in"}},
	AuthTypeBasic:            {required: []string{"username"}, optional: []string{"password"}},
	AuthTypeOAuth2:           {required: []string{"token_url", "client_id", "client_secret"}, optional: []string{"scopes", "audience"}},
	AuthTypeHMAC:             {required: []string{"secret", "header"}, optional: []string{"algorithm", "timestamp_header"}},
	AuthTypeStandardWebhooks: {required: []string{"secrets"}},
	AuthTypeCustom:           {required: []string{"name"}},
}

func (v *validator) auth(path string, a Auth) {
	fields, ok := authFields[a.Type]
	if !ok {
		return // reported by its tag
	}
	values := reflect.ValueOf(a)
	for i := range values.NumField() {
		key := values.Type().Field(i).Tag.Get("yaml")
		given := !isEmpty(values.Field(i))
		switch needed := slices.Contains(fields.required, key); {
		case key == "type":
		case needed && !given:
			v.problem(joinPath(path, key), "is missing; auth of type %s needs %s", a.Type, strings.Join(fields.required, ", "))
		case given && !needed && !slices.Contains(fields.optional, key):
			v.problem(joinPath(path, key), "is not used by auth of type %s; remove it, or change the type", a.Type)
		}
	}
	if a.Type == AuthTypeOAuth2 && a.TokenURL != "" {
		v.url(path+".token_url", a.TokenURL, "https", "http")
	}
	if a.Type == AuthTypeAPIKey && a.In != "query" && a.Name != "" {
		v.header(path+".name", a.Name, httpop.CredentialHeader)
	}
	if a.Type == AuthTypeHMAC {
		v.hmac(path, a)
	}
	if a.Type == AuthTypeStandardWebhooks {
		v.webhookSecrets(path+".secrets", a.Secrets)
	}
}

func (v *validator) hmac(path string, a Auth) {
	if a.Header != "" {
		v.header(path+".header", a.Header, httpop.CredentialHeader)
	}
	if a.TimestampHeader != "" {
		v.header(path+".timestamp_header", a.TimestampHeader, httpop.CredentialHeader)
	}
}

func (v *validator) webhookSecrets(path string, secrets []Secret) {
	for i, secret := range secrets {
		if !isWebhookSecret(secret.Reveal()) {
			v.problem(indexPath(path, i), "is not a Standard Webhooks secret; write whsec_ and the base64 of 24 to 64 random bytes")
		}
		secret.onlyIf(isWebhookSecret)
	}
}

func isWebhookSecret(text string) bool {
	encoded, ok := strings.CutPrefix(text, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	return ok && err == nil && len(key) >= 24 && len(key) <= 64
}
