package config

import (
	"net/url"
	"strings"
)

func (v *validator) api() {
	a := v.cfg.API
	if !isListen(a.Listen) {
		v.problem("api.listen", "is not an address to listen on; write host:port, such as 127.0.0.1:8080")
	}
	if a.Auth == AuthNone && !a.LoopbackOnly() {
		v.problem("api.auth", "is none while api.listen is not a loopback address, so that anyone could submit jobs; write required, or listen on 127.0.0.1")
	}
	v.keyPair("api.tls", a.TLS.Cert, a.TLS.Key)
	for i, origin := range a.CORSOrigins {
		if !isOrigin(origin) {
			v.problem(indexPath("api.cors_origins", i), `is not an origin; write scheme://host[:port] without a path, or "*"`)
		}
	}
	names, ids := map[string]string{}, map[string]string{}
	for i, key := range a.Keys {
		path := indexPath("api.keys", i)
		v.apiKey(path, key)
		if key.Name != "" {
			v.unique(path+".name", key.Name, names)
		}
		if id, _, ok := SplitKey(key.Key.Reveal()); ok {
			v.uniqueID(path+".key", id, ids)
		}
	}
}

// uniqueID is unique for the id of a key, by which callers are told apart.
func (v *validator) uniqueID(setting, id string, earlier map[string]string) {
	if first, twice := earlier[id]; twice {
		v.problem(setting, "has the same id as %s; make another with: asyncops keys create", first)
		return
	}
	earlier[id] = setting
}

func (v *validator) apiKey(path string, key APIKey) {
	v.name(path+".name", key.Name)
	isKey := func(text string) bool { _, _, ok := SplitKey(text); return ok }
	if !isKey(key.Key.Reveal()) {
		v.problem(path+".key", "is not aok_<id>_<secret>, with an id of 4 to 32 of a-z and 0-9, and a secret of at least 32 of A-Z, a-z, 0-9, _ and -; make one with: asyncops keys create")
	}
	key.Key.onlyIf(isKey)
	if key.Role == "" && len(key.Scopes) == 0 {
		v.problem(path+".role", "is missing, and so are scopes; write a role such as submitter, or scopes")
	}
	known(v, path+".queues", key.Queues, v.cfg.Queues, "queues")
	known(v, path+".databases", key.Databases, v.cfg.Databases, "databases")
	known(v, path+".clients", key.Clients, v.cfg.Clients, "clients")
	for i, kind := range key.Kinds {
		v.kind(indexPath(path+".kinds", i), kind)
	}
}

// kind checks the form of a kind's name; which there are, workers know.
func (v *validator) kind(setting, kind string) {
	if !isKind(kind) {
		v.problem(setting, "is not a kind; write it like http.request")
	}
}

func isKind(s string) bool {
	for word := range strings.SplitSeq(s, ".") {
		if word == "" || !madeOf(word, lower+digits+"_-") || strings.Contains(digits, word[:1]) {
			return false
		}
	}
	return len(s) <= 128
}

// isOrigin reports whether s is what browsers send as Origin, or "*".
func isOrigin(s string) bool {
	if s == "*" {
		return true
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && isHost(u.Hostname()) &&
		s == u.Scheme+"://"+u.Host
}

// ownPaths are served by the API itself.
var ownPaths = []string{"/v1/", "/docs/", "/metrics/", "/healthz/", "/readyz/", "/openapi.json/"}

func (v *validator) dashboard() {
	base := v.cfg.Dashboard.BasePath
	v.pathOf("dashboard.base_path", base)
	if !strings.HasSuffix(base, "/") || base == "/" || strings.Contains(base, "//") {
		v.problem("dashboard.base_path", "is not the path of a folder; write it like /dashboard/")
	}
	for _, own := range ownPaths {
		if strings.HasPrefix(base, own) {
			v.problem("dashboard.base_path", "is within %s, which the API serves; write it like /dashboard/", own)
		}
	}
}
