package config

import (
	"log/slog"
	"net/url"
	"path"
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
	user := url.PathEscape(d.User)
	if !d.Password.IsZero() {
		user += ":" + redacted
	}
	address := d.Address
	if d.Network == "unix" {
		address = ""
	}
	return d.Driver + "://" + user + "@" + address + "/" + url.PathEscape(d.Database) + "?" + d.query().Encode()
}

// query returns the parameters that parse to d's fields.
func (d DSN) query() url.Values {
	query := url.Values{}
	for name, value := range d.Params {
		query.Set(name, value)
	}
	if d.TLSCA != "" {
		query.Set("ca_file", d.TLSCA)
	}
	if d.ConnectTimeout != 0 {
		query.Set("connect_timeout", Duration(d.ConnectTimeout).String())
	}
	if d.Driver == DriverMySQL {
		query.Set("tls", d.SSLMode)
		if d.Network == "unix" {
			query.Set("socket", d.Address)
		}
		return query
	}
	query.Set("sslmode", d.SSLMode)
	if d.Network == "unix" {
		query.Set("host", path.Dir(d.Address))
		if port := strings.TrimPrefix(path.Ext(d.Address), "."); port != "5432" {
			query.Set("port", port)
		}
	}
	return query
}

// GoString returns what String does, for %#v.
func (d DSN) GoString() string { return d.String() }

// MarshalText writes what String does; encoding/json and YAML use it too.
func (d DSN) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// LogValue is what slog writes: what String returns.
func (d DSN) LogValue() slog.Value { return slog.StringValue(d.String()) }
