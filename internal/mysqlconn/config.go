package mysqlconn

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Config is where the server is, how its sessions and its pool behave.
type Config struct {
	Network         string // "tcp" or "unix"; default "tcp"
	Address         string // host:port, or the socket's path
	User            string
	Password        func() string // asked for at every new connection; nil for none
	Database        string
	TLSMode         TLSMode
	RootCA          string // PEM file; "" for the system's authorities
	ApplicationName string // program_name among the connection's attributes
	Collation       string // of the connection, one of utf8mb4; "" for the server's

	// StatementTimeout is how long the server runs one statement: any on MariaDB,
	// a SELECT on MySQL. 0 sets no bound.
	StatementTimeout time.Duration
	LockTimeout      time.Duration // wait for a lock at most, in whole seconds; default 10s
	// IdleTimeout is how long the server waits for the next statement of a
	// transaction, in whole seconds; default 12s. MySQL knows no such bound: there
	// it holds for every connection, those that are idle in the pool too.
	IdleTimeout time.Duration

	MaxOpen     int           // connections at most; 0 is no bound
	MaxIdle     int           // connections kept while idle; 0 is database/sql's 2, negative none
	MaxLifetime time.Duration // of a connection; 0 is for ever
	MaxIdleTime time.Duration // of an unused connection; 0 is for ever

	ConnectTimeout time.Duration // dial, TLS, login and session set-up together; default 10s
	// CancelTimeout is how long the server has to end a statement whose context
	// is done before the connection is dropped; default 2s.
	CancelTimeout time.Duration
}

const (
	defaultConnectTimeout = 10 * time.Second
	defaultCancelTimeout  = 2 * time.Second
	defaultLockTimeout    = 10 * time.Second
	defaultIdleTimeout    = 12 * time.Second
	writeTimeout          = 30 * time.Second // a peer that takes nothing for so long is gone
)

// Validate reports everything that is wrong with the settings, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("mysqlconn: "+format, args...)) }
	switch c.network() {
	case "tcp":
		if _, _, err := net.SplitHostPort(c.Address); err != nil {
			bad("address %q must be host:port", c.Address)
		}
	case "unix":
		if c.Address == "" {
			bad("address must be the path of the server's socket")
		}
	default:
		bad(`network %q must be "tcp" or "unix"`, c.Network)
	}
	if c.User == "" {
		bad("user must not be empty")
	}
	if c.Database == "" {
		bad("database must not be empty")
	}
	switch c.TLSMode {
	case TLSDefault, TLSDisable, TLSRequire, TLSVerifyCA, TLSVerifyFull:
	default:
		bad("tls %q must be disable, require, verify-ca or verify-full", c.TLSMode)
	}
	if c.Collation != "" && !isUTF8MB4(c.Collation) {
		bad("collation %q must be one of utf8mb4: all text travels in it", c.Collation)
	}
	if strings.ContainsAny(c.ApplicationName, ",:") {
		bad("application name %q must not hold commas or colons", c.ApplicationName)
	}
	return errors.Join(errs...)
}

// isUTF8MB4 reports whether a collation is named as those of utf8mb4 are, and
// may stand in SQL as it is.
func isUTF8MB4(collation string) bool {
	return (strings.HasPrefix(collation, "utf8mb4_") || strings.HasPrefix(collation, "uca1400_")) &&
		strings.Trim(collation, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

func (c Config) network() string { return orDefault(c.Network, "tcp") }

func (c Config) password() string {
	if c.Password == nil {
		return ""
	}
	return c.Password()
}

// idle turns MaxIdle into what sql.DB.SetMaxIdleConns takes.
func (c Config) idle() int { return orDefault(c.MaxIdle, 2) }

func (c Config) connectTimeout() time.Duration {
	return orDefault(c.ConnectTimeout, defaultConnectTimeout)
}

func (c Config) cancelTimeout() time.Duration {
	return orDefault(c.CancelTimeout, defaultCancelTimeout)
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
