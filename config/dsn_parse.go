package config

import (
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

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
		return DSN{}, errors.New("names no file; write sqlite:path, or sqlite::memory: for none")
	case strings.HasPrefix(file, "//"):
		return DSN{}, errors.New("is ambiguous about its path; write sqlite:/absolute/path or sqlite:relative/path, without //")
	case strings.HasPrefix(file, ":") && file != SQLiteMemory:
		return DSN{}, errors.New("names no file; write sqlite:path, or sqlite::memory: for none")
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
	d.Password = secret.pick(func(text string) string { return resplit(text).password })
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
