package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Drivers of a DSN.
const (
	DriverPostgres = "postgres"
	DriverMySQL    = "mysql" // MariaDB too
	DriverSQLite   = "sqlite"
)

// Ways in which a DSN's connection is protected. MySQL's own words (false,
// skip-verify, true) are read as the first, second and last.
const (
	SSLDisable    = "disable"     // plain text
	SSLRequire    = "require"     // TLS, whoever answers
	SSLVerifyCA   = "verify-ca"   // TLS with a certificate of a trusted authority
	SSLVerifyFull = "verify-full" // and for this host
)

// SQLiteMemory is the Path of a database that is gone with its process.
const SQLiteMemory = ":memory:"

// DSN is the address of a database, taken apart, with every default filled in.
// Printing, logging and marshalling leave its password out. The zero value is
// no database.
type DSN struct {
	Driver         string            // DriverPostgres, DriverMySQL or DriverSQLite
	Network        string            // "tcp" or "unix"; empty for SQLite
	Address        string            // host:port, or the socket's path
	User           string            // never empty but for SQLite
	Password       Secret            // follows its file
	Database       string            // name of the database
	Path           string            // SQLite's file, or SQLiteMemory
	SSLMode        string            // SSLDisable on loopback and sockets, SSLVerifyFull elsewhere, unless given
	TLSCA          string            // path of the PEM file of authorities to trust; empty: the system's
	ConnectTimeout time.Duration     // zero: the driver's
	Params         map[string]string // what a session begins with: application_name, search_path, timezone (PostgreSQL), charset, collation (MySQL); mode (SQLite); nil if none
}

var errDSN = errors.New("not a database address; write postgres://user:password@host:5432/database, " +
	"mysql://user:password@host:3306/database or sqlite:path")

// ParseDSN reads postgres://, mysql:// and sqlite: addresses. Its errors say
// what is wrong and the fix, and hold nothing of the password.
func ParseDSN(s string) (DSN, error) { return parseDSN(NewSecret(s)) }

func parseDSN(secret Secret) (DSN, error) {
	scheme, rest, _ := strings.Cut(secret.Reveal(), ":")
	switch scheme {
	case "sqlite":
		return parseSQLite(rest)
	case "postgres", "postgresql":
		return parseServer(DriverPostgres, rest, secret)
	case "mysql", "mariadb":
		return parseServer(DriverMySQL, rest, secret)
	}
	return DSN{}, errDSN
}

func parseSQLite(rest string) (DSN, error) {
	file, rawQuery, _ := strings.Cut(rest, "?")
	switch {
	case file == "":
		return DSN{}, errors.New("names no file; write sqlite:path or sqlite::memory:")
	case strings.HasPrefix(file, "//"):
		return DSN{}, errors.New("is ambiguous about its path; write sqlite:/absolute/path or sqlite:relative/path, without //")
	case strings.HasPrefix(file, ":") && file != SQLiteMemory:
		return DSN{}, errors.New("names no file; write sqlite:path or sqlite::memory:")
	case strings.ContainsAny(file, "\x00#"):
		return DSN{}, errors.New("has a # or NUL in its path; name another file")
	}
	query, err := parseQuery(rawQuery)
	if err != nil {
		return DSN{}, err
	}
	d := DSN{Driver: DriverSQLite, Path: file}
	if mode, ok := query["mode"]; ok {
		if !slices.Contains([]string{"ro", "rw", "rwc"}, mode) {
			return DSN{}, errors.New("has a mode that does not exist; write mode=ro, mode=rw or mode=rwc")
		}
		d.Params = map[string]string{"mode": mode}
		delete(query, "mode")
	}
	return d, unknownParams(query, []string{"mode"})
}

// serverParams are the parameters that go into Params as they are.
var serverParams = map[string][]string{
	DriverPostgres: {"application_name", "search_path", "timezone"},
	DriverMySQL:    {"charset", "collation"},
}

// ownParams are the parameters that become fields of a DSN.
var ownParams = map[string][]string{
	DriverPostgres: {"sslmode", "sslrootcert", "ca_file", "connect_timeout", "host", "port"},
	DriverMySQL:    {"tls", "ca_file", "connect_timeout", "socket"},
}

func parseServer(driver, rest string, secret Secret) (DSN, error) {
	rest, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return DSN{}, errDSN
	}
	u, err := parseSplitURL(rest)
	if err != nil {
		return DSN{}, err
	}
	d := DSN{Driver: driver, User: u.user, Database: u.path}
	d.Password = secret.pick(func(text string) string {
		_, rest, _ := strings.Cut(text, "://")
		u, _ := parseSplitURL(rest)
		return u.password
	})
	switch {
	case d.User == "":
		return DSN{}, fmt.Errorf("names no user; write %s://user@host/database", driver)
	case d.Database == "" || strings.Contains(d.Database, "/"):
		return DSN{}, fmt.Errorf("names no database; write %s://user@host/database", driver)
	}
	if err := d.setAddress(u); err != nil {
		return DSN{}, err
	}
	if err := d.setTLS(u); err != nil {
		return DSN{}, err
	}
	if timeout := u.take("connect_timeout"); timeout != "" {
		if d.ConnectTimeout, err = parseConnectTimeout(timeout); err != nil {
			return DSN{}, err
		}
	}
	for _, name := range serverParams[driver] {
		if value := u.take(name); value != "" {
			if d.Params == nil {
				d.Params = map[string]string{}
			}
			d.Params[name] = value
		}
	}
	if err := unknownParams(u.query, slices.Concat(serverParams[driver], ownParams[driver])); err != nil {
		return DSN{}, err
	}
	return d, nil
}

// setAddress finds the host or the socket. PostgreSQL's socket is named by its
// directory, as ?host=/run/postgresql; MySQL's by itself, as ?socket=/path.
func (d *DSN) setAddress(u splitURL) error {
	defaultPort, socket := "5432", ""
	if d.Driver == DriverPostgres {
		port := u.take("port")
		if dir := u.take("host"); dir != "" {
			socket = path.Join(dir, ".s.PGSQL."+orElse(port, defaultPort))
		} else if port != "" {
			return errors.New("has a port parameter without a socket's host=/directory; write host:port before the database")
		}
	} else {
		defaultPort, socket = "3306", u.take("socket")
	}
	switch {
	case socket != "" && (len(u.hosts) > 0 || !path.IsAbs(socket)):
		return errors.New("names a socket wrongly; leave the host out and give the socket an absolute path")
	case socket != "":
		d.Network, d.Address = "unix", socket
		return nil
	case len(u.hosts) != 1:
		return errors.New("must name one host; write it between @ and the database")
	}
	address, err := hostPort(u.hosts[0], defaultPort)
	if err != nil {
		return err
	}
	d.Network, d.Address = "tcp", address
	return nil
}

// mysqlTLS translates the words of the tls parameter.
var mysqlTLS = map[string]string{"false": SSLDisable, "skip-verify": SSLRequire, "true": SSLVerifyFull}

func (d *DSN) setTLS(u splitURL) error {
	name, words := "sslmode", []string{SSLDisable, SSLRequire, SSLVerifyCA, SSLVerifyFull}
	if d.Driver == DriverMySQL {
		name = "tls"
	}
	mode := u.take(name)
	d.TLSCA = u.take("ca_file")
	if d.Driver == DriverPostgres {
		d.TLSCA = orElse(d.TLSCA, u.take("sslrootcert"))
	} else {
		mode = orElse(mysqlTLS[mode], mode)
	}
	if mode == "" {
		mode = SSLVerifyFull
		if host, _, _ := net.SplitHostPort(d.Address); d.Network == "unix" || isLoopback(host) {
			mode = SSLDisable
		}
	}
	switch {
	case mode == "prefer" || mode == "preferred" || mode == "allow":
		return fmt.Errorf("has %s=%s, which may fall back to plain text; write %s", name, mode, strings.Join(words, ", "))
	case !slices.Contains(words, mode):
		return fmt.Errorf("has an unknown %s; write %s", name, strings.Join(words, ", "))
	case mode == SSLDisable && d.TLSCA != "":
		return fmt.Errorf("names authorities to trust but uses no TLS; write %s=%s", name, SSLVerifyFull)
	case mode == SSLRequire && d.TLSCA != "":
		mode = SSLVerifyCA // as libpq does
	}
	d.SSLMode = mode
	return nil
}

// parseConnectTimeout reads whole seconds, as libpq does, or a duration.
func parseConnectTimeout(s string) (time.Duration, error) {
	if seconds, err := strconv.ParseUint(s, 10, 16); err == nil {
		return time.Duration(seconds) * time.Second, nil
	}
	d, err := ParseDuration(s)
	if err != nil || d < 0 {
		return 0, errors.New("has a malformed connect_timeout; write it like connect_timeout=5s")
	}
	return d.Std(), nil
}

func unknownParams(query map[string]string, known []string) error {
	for _, name := range sortedKeys(query) {
		return fmt.Errorf("has an unknown parameter %q%s", name, didYouMean(name, known))
	}
	return nil
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// IsZero reports whether d is no database.
func (d DSN) IsZero() bool { return d.Driver == "" }

// String returns the address without its password.
func (d DSN) String() string {
	switch d.Driver {
	case "":
		return ""
	case DriverSQLite:
		if mode := d.Params["mode"]; mode != "" {
			return "sqlite:" + d.Path + "?mode=" + mode
		}
		return "sqlite:" + d.Path
	}
	var b strings.Builder
	b.WriteString(d.Driver + "://" + url.PathEscape(d.User))
	if !d.Password.IsZero() {
		b.WriteString(":" + redacted)
	}
	query := url.Values{}
	for name, value := range d.Params {
		query.Set(name, value)
	}
	b.WriteString("@")
	if d.Network == "tcp" {
		b.WriteString(d.Address)
	} else {
		query.Set("socket", d.Address)
	}
	query.Set("sslmode", d.SSLMode)
	b.WriteString("/" + url.PathEscape(d.Database) + "?" + query.Encode())
	return b.String()
}

// GoString returns what String does, for %#v.
func (d DSN) GoString() string { return d.String() }

// MarshalText writes what String does; encoding/json and YAML use it too.
func (d DSN) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// LogValue is what slog writes: what String returns.
func (d DSN) LogValue() slog.Value { return slog.StringValue(d.String()) }
