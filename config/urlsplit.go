package config

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// splitURL is a URL whose host may be a list. net/url refuses those, and its
// errors repeat passwords.
type splitURL struct {
	user, password string
	hosts          []string // as written; none if the authority is empty
	path           string   // unescaped, without its first slash
	query          map[string]string
}

var errURL = errors.New("percent-encode the special characters in user and password")

// parseSplitURL reads what follows "scheme://". Its errors hold nothing of it.
func parseSplitURL(s string) (splitURL, error) {
	var u splitURL
	s, rawQuery, _ := strings.Cut(s, "?")
	if strings.Contains(s+rawQuery, "#") {
		return u, errors.New("has a #; " + errURL.Error())
	}
	authority, path, _ := strings.Cut(s, "/")
	var err error
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, password, _ := strings.Cut(authority[:at], ":")
		if u.user, err = url.PathUnescape(user); err != nil {
			return u, errors.New("has a malformed user; " + errURL.Error())
		}
		if u.password, err = url.PathUnescape(password); err != nil {
			return u, errors.New("has a malformed password; " + errURL.Error())
		}
		authority = authority[at+1:]
	} else if strings.Contains(path+rawQuery, "@") {
		return u, errors.New("has an @ behind the host; " + errURL.Error())
	}
	if authority != "" {
		u.hosts = strings.Split(authority, ",")
	}
	if u.path, err = url.PathUnescape(path); err != nil {
		return u, errors.New("has a malformed path; percent-encode its special characters")
	}
	u.query, err = parseQuery(rawQuery)
	return u, err
}

// resplit takes a text apart that has been found good.
func resplit(text string) splitURL {
	_, rest, _ := strings.Cut(text, "://")
	u, _ := parseSplitURL(rest)
	return u
}

// parseQuery reads parameters that may each be given once.
func parseQuery(raw string) (map[string]string, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, errors.New("has malformed parameters after ?; write name=value&name=value, percent-encoded")
	}
	query := make(map[string]string, len(values))
	for name, all := range values {
		if len(all) > 1 {
			return nil, errors.New("gives the parameter " + strconv.Quote(name) + " twice; keep one")
		}
		query[name] = all[0]
	}
	return query, nil
}

// take returns a parameter and removes it, so that what is left is unknown.
func (u splitURL) take(name string) string {
	value := u.query[name]
	delete(u.query, name)
	return value
}

// hostPort adds the port where there is none, and checks both.
func hostPort(s, defaultPort string) (string, error) {
	host, port := s, defaultPort
	if h, p, err := net.SplitHostPort(s); err == nil {
		host, port = h, p
	} else if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
		host = strings.TrimSuffix(inner, "]")
	} else if strings.Contains(s, ":") {
		return "", errors.New("has a malformed host; write host:port, an IPv6 address in brackets; " + errURL.Error())
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("has a port that is not a number from 1 to 65535; " + errURL.Error())
	}
	if !isHost(host) {
		return "", errors.New("has no valid host name; " + errURL.Error())
	}
	return net.JoinHostPort(host, port), nil
}

// isHost reports whether s can be a host name or an IP address.
func isHost(s string) bool {
	if net.ParseIP(s) != nil {
		return true
	}
	return s != "" && len(s) <= 253 && madeOf(s, lower+upper+digits+"-._")
}
