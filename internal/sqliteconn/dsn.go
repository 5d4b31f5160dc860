package sqliteconn

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// access says what the connections of a pool are for.
type access int

const (
	writing access = iota
	reading
)

// dsnBase returns the URI of a database without settings.
func dsnBase(path string) string {
	if path == Memory {
		return "file:/" + rand.Text() + "?vfs=memdb"
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") { // C:/…
		path = "/" + path
	}
	return "file://" + (&url.URL{Path: path}).EscapedPath() + "?"
}

// dsn adds the settings. Every statement may then rely on: WAL (a database in
// memory keeps its own journal), commits on disk before they return, foreign
// keys, no double-quoted strings.
func dsn(base string, busy time.Duration, a access) string {
	q := url.Values{
		"_busy_timeout": {strconv.FormatInt(busy.Milliseconds(), 10)},
		"_synchronous":  {"FULL"},
		"_foreign_keys": {"on"},
		"_time_format":  {"sqlite"},
		"_timezone":     {"UTC"},
		"_dqs":          {"0"},
		"_error_rc":     {"1"},
	}
	switch a {
	case writing:
		q.Set("_journal_mode", "WAL")
		q.Set("_txlock", "immediate")
	case reading:
		q.Set("_query_only", "on")
	}
	if !strings.HasSuffix(base, "?") {
		base += "&"
	}
	return fmt.Sprint(base, q.Encode())
}
