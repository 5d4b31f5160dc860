package config

import (
	"cmp"
	"net"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// validator checks a configuration that could be read.
type validator struct {
	cfg            *Config
	report         *report
	allowRedisNone bool
}

func validate(cfg *Config, r *report, allowRedisNone bool) {
	v := &validator{cfg: cfg, report: r, allowRedisNone: allowRedisNone}
	walk(leaf{value: reflect.ValueOf(cfg).Elem()}, v.leaf)
	v.api()
	v.dashboard()
	v.storage()
	for _, name := range sortedKeys(cfg.Databases) {
		v.database(joinPath("databases", name), name, cfg.Databases[name])
	}
	for _, name := range sortedKeys(cfg.Clients) {
		v.client(joinPath("clients", name), name, cfg.Clients[name])
	}
	v.queues()
	v.schedules()
	v.alerts()
	if endpoint := cfg.Observability.OTLPEndpoint; endpoint != "" {
		v.url("observability.otlp_endpoint", endpoint, "http", "https")
	}
}

func (v *validator) problem(setting, format string, args ...any) {
	v.report.at(setting, format, args...)
}

// leaf checks what the tags of a setting say.
func (v *validator) leaf(l leaf) {
	if example, ok := l.tag.Lookup("required"); ok && isEmpty(l.value) {
		key := l.path[strings.LastIndexByte(l.path, '.')+1:]
		v.problem(l.path, "is missing; write it, such as %s: %s", key, example)
		return
	}
	if words, ok := l.tag.Lookup("oneof"); ok {
		v.oneOf(l, strings.Split(words, "|"))
	}
	if bounds, ok := l.tag.Lookup("range"); ok {
		v.inRange(l, bounds)
	}
}

func isEmpty(v reflect.Value) bool {
	if s, ok := v.Interface().(Secret); ok {
		return s.IsZero()
	}
	return v.IsZero()
}

// oneOf checks a word, or each of a list.
func (v *validator) oneOf(l leaf, words []string) {
	check := func(path, word string) {
		if !slices.Contains(words, word) {
			v.problem(path, "is %q%s", word, didYouMean(word, slices.DeleteFunc(slices.Clone(words), isBlank)))
		}
	}
	if l.value.Kind() == reflect.String {
		check(l.path, l.value.String())
		return
	}
	for i := range l.value.Len() {
		check(indexPath(l.path, i), l.value.Index(i).String())
	}
}

func isBlank(s string) bool { return s == "" }

// inRange checks bounds such as "1..100" or "0s..", both included and written
// as the setting is.
func (v *validator) inRange(l leaf, bounds string) {
	low, high, _ := strings.Cut(bounds, "..")
	below := low != "" && compare(l.value, parseBound(l.value.Type(), low)) < 0
	above := high != "" && compare(l.value, parseBound(l.value.Type(), high)) > 0
	switch {
	case !below && !above:
	case high == "":
		v.problem(l.path, "is %s; write at least %s", formatLeaf(l.value), low)
	default:
		v.problem(l.path, "is %s; write a value from %s to %s", formatLeaf(l.value), low, high)
	}
}

// parseBound reads a bound of a tag; the tests try every tag.
func parseBound(t reflect.Type, text string) reflect.Value {
	bound := reflect.New(t).Elem()
	if err := setScalar(bound, &source{text: text}, ""); err != nil {
		panic("config: malformed range " + text + " in a struct tag: " + err.Error())
	}
	return bound
}

func compare(a, b reflect.Value) int {
	if a.CanFloat() {
		return cmp.Compare(a.Float(), b.Float())
	}
	return cmp.Compare(a.Int(), b.Int())
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

// name checks the name of something that jobs and settings refer to.
func (v *validator) name(setting, name string) {
	if !namePattern.MatchString(name) {
		v.problem(setting, "has a malformed name; write a lower-case letter, then up to 63 of a-z, 0-9, _ and -")
	}
}

// unique checks that no earlier entry of a list has the same value.
func (v *validator) unique(setting, value string, earlier map[string]string) {
	if first, twice := earlier[value]; twice {
		v.problem(setting, "is the same as %s; choose another", first)
		return
	}
	earlier[value] = setting
}

// known checks that each of a list names an entry of a map.
func known[V any](v *validator, setting string, names []string, entries map[string]V, section string) {
	for i, name := range names {
		knownOne(v, indexPath(setting, i), name, entries, section)
	}
}

func knownOne[V any](v *validator, setting, name string, entries map[string]V, section string) {
	if _, ok := entries[name]; ok {
		return
	}
	if best := closest(name, sortedKeys(entries)); best != "" {
		v.problem(setting, "is %q, which %s does not have; did you mean %q?", name, section, best)
		return
	}
	v.problem(setting, "is %q, which %s does not have; add it there, or correct the name", name, section)
}

// url checks an absolute URL and returns it, or nil. It never shows it.
func (v *validator) url(setting, text string, schemes ...string) *url.URL {
	u, err := url.Parse(text)
	want := schemes[0] + "://host"
	if len(schemes) > 1 {
		want += " (or " + strings.Join(schemes[1:], ", ") + ")"
	}
	switch {
	case err != nil || u.Hostname() == "":
		v.problem(setting, "is not a URL; write it like %s", want)
	case !slices.Contains(schemes, u.Scheme):
		v.problem(setting, "has the scheme %q; write it like %s", u.Scheme, want)
	case !isHost(u.Hostname()):
		v.problem(setting, "has no valid host; write it like %s", want)
	default:
		return u
	}
	return nil
}

// pathOf checks the path of a URL that is given by itself.
func (v *validator) pathOf(setting, path string) {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "?# \t\r\n\\") || hasDotSegment(path) {
		v.problem(setting, "is not a path; begin it with one slash, without . or .. segments, query and blanks")
	}
}

func hasDotSegment(path string) bool {
	if unescaped, err := url.PathUnescape(path); err == nil {
		path = unescaped
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// keyPair checks that a certificate and its key are both given, or neither.
func (v *validator) keyPair(section, cert, key string) {
	switch {
	case cert != "" && key == "":
		v.problem(joinPath(section, "key"), "is missing beside cert; write the path of the certificate's private key")
	case cert == "" && key != "":
		v.problem(joinPath(section, "cert"), "is missing beside key; write the path of the key's certificate")
	}
}

// isListen reports whether s is an address to listen on.
func isListen(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || (host != "" && !isHost(host)) {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}
