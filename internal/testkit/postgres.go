package testkit

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

const installPostgres = "install PostgreSQL 13 or newer (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql)"

// PostgresServer is a PostgreSQL server. Everybody on this machine may connect
// as the superuser asyncops without a password. It keeps its promises about
// durability (fsync is on) unless an option says otherwise.
type PostgresServer struct{ Server }

// PostgresOption changes how a PostgreSQL server is started.
type PostgresOption func(*instance)

// PostgresSetting sets one of the server's own settings, as in postgresql.conf.
func PostgresSetting(name, value string) PostgresOption {
	return func(in *instance) { in.start.args = append(in.start.args, "-c", name+"="+value) }
}

// StartPostgres starts a PostgreSQL server for this test alone, to be killed
// and frozen at will. It is gone when the test ends.
func StartPostgres(t testing.TB, options ...PostgresOption) *PostgresServer {
	t.Helper()
	in, err := newPostgres(t, options...)
	if err != nil {
		t.Fatal(err)
	}
	server := &PostgresServer{in.own(t)}
	if err := in.launch(); err != nil {
		t.Fatal(err)
	}
	return server
}

// Postgres returns the server that the tests of this binary share. It is
// started by the first caller and stopped by Main; tests may not stop it.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	in := shared.postgres.get(t, func() (*instance, error) { return newPostgres(t) })
	return &PostgresServer{Server{t: t, in: in, shared: true}}
}

// PostgresDatabase creates an empty database on the shared server, drops it
// when the test ends, and returns its DSN.
func PostgresDatabase(t testing.TB) string {
	t.Helper()
	return Postgres(t).Database(t)
}

// Abort ends the server at once, as pg_ctl stop -m immediate does: its clients
// are told, nothing is written, and the next start recovers as after a crash.
func (s *PostgresServer) Abort() {
	s.t.Helper()
	s.control("abort", func() error {
		return s.in.withChild(func(c *child) error { return c.stop(syscall.SIGQUIT, stopGrace) })
	})
}

// DSN returns the address of one of the server's databases;
// "postgres" always exists.
func (s *PostgresServer) DSN(database string) string {
	return "postgres://asyncops@" + s.Addr() + "/" + database + "?sslmode=disable"
}

// Database creates an empty database, drops it when the test ends if the
// server is shared, and returns its DSN.
func (s *PostgresServer) Database(t testing.TB) string {
	t.Helper()
	name := uniqueName()
	if err := s.in.postgresExec("CREATE DATABASE " + name + " TEMPLATE template0"); err != nil {
		t.Fatal(err)
	}
	if s.shared { // the files of other servers are removed as a whole
		t.Cleanup(func() {
			if err := s.in.postgresExec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
				t.Error(err)
			}
		})
	}
	return s.DSN(name)
}

// newPostgres prepares a server that is yet to be launched.
func newPostgres(t testing.TB, options ...PostgresOption) (*instance, error) {
	t.Helper()
	server := findBinary("postgres")
	if server == "" {
		Missing(t, "postgres", installPostgres)
	}
	server, err := filepath.EvalSymlinks(server)
	if err != nil {
		return nil, fmt.Errorf("testkit: find postgres: %w", err)
	}
	initdb := filepath.Join(filepath.Dir(server), "initdb") // of the same version
	user := serverOwner("postgres")
	in, err := newInstance("postgres", user)
	if err != nil {
		return nil, err
	}
	err = shared.postgresData.copyTo(in.dir, "postgres", user, func(parent string) error {
		return user.run(parent, initdb, "--pgdata=data", "--username=asyncops", "--auth=trust",
			"--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	})
	if err != nil {
		return nil, err
	}
	in.orderly = syscall.SIGINT // disconnect clients, then shut down
	in.ready = func() error { return in.postgresExec("SELECT 1") }
	in.start.path = server
	in.start.args = []string{"-D", in.dir + "/data", "-p", strconv.Itoa(in.port)}
	settings := [][2]string{
		{"listen_addresses", "127.0.0.1"}, {"unix_socket_directories", ""}, {"max_connections", "300"},
		{"shared_buffers", "64MB"}, {"timezone", "UTC"}, {"log_timezone", "UTC"},
	}
	for _, setting := range settings {
		PostgresSetting(setting[0], setting[1])(in)
	}
	for _, option := range options {
		option(in)
	}
	return in, nil
}

// postgresExec runs one statement in the database postgres.
func (in *instance) postgresExec(statement string) error {
	// The driver hears no context, so its own timeouts bound the call.
	db := sql.OpenDB(pgdriver.NewConnector(pgdriver.WithAddr(loopback(in.port)), pgdriver.WithUser("asyncops"),
		pgdriver.WithDatabase("postgres"), pgdriver.WithInsecure(true),
		pgdriver.WithDialTimeout(5*time.Second), pgdriver.WithReadTimeout(60*time.Second)))
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(context.Background(), statement); err != nil {
		return fmt.Errorf("testkit: %s: %w", statement, err)
	}
	return nil
}
