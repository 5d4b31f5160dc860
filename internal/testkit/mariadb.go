package testkit

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

const installMariaDB = "install MariaDB 10.6 or newer (Debian, Ubuntu: apt-get install mariadb-server; macOS: brew install mariadb)"

// MariaDBServer is a MariaDB server whose user asyncops, without a password,
// may do everything. Every commit is on disk before it is answered.
type MariaDBServer struct{ Server }

// MariaDBOption changes how a MariaDB server is started.
type MariaDBOption func(*instance)

// MariaDBSetting sets one of the server's own settings, as in my.cnf.
func MariaDBSetting(name, value string) MariaDBOption {
	return func(in *instance) { in.start.args = append(in.start.args, "--"+name+"="+value) }
}

// StartMariaDB starts a MariaDB server for this test alone, to be killed and
// frozen at will. It is gone when the test ends.
func StartMariaDB(t testing.TB, options ...MariaDBOption) *MariaDBServer {
	t.Helper()
	in, err := newMariaDB(t, options...)
	if err != nil {
		t.Fatal(err)
	}
	server := &MariaDBServer{in.own(t)}
	if err := in.launch(); err != nil {
		t.Fatal(err)
	}
	return server
}

// MariaDB returns the server that the tests of this binary share. It is
// started by the first caller and stopped by Main; tests may not stop it.
func MariaDB(t testing.TB) *MariaDBServer {
	t.Helper()
	in := shared.mariadb.get(t, func() (*instance, error) { return newMariaDB(t) })
	return &MariaDBServer{Server{t: t, in: in, shared: true}}
}

// MariaDBDatabase creates an empty database on the shared server, drops it
// when the test ends, and returns its DSN.
func MariaDBDatabase(t testing.TB) string {
	t.Helper()
	return MariaDB(t).Database(t)
}

// DSN returns the address of one of the server's databases, mysql://….
func (s *MariaDBServer) DSN(database string) string {
	return "mysql://asyncops@" + s.Addr() + "/" + database + "?tls=false"
}

// Database creates an empty database (utf8mb4), drops it when the test ends
// if the server is shared, and returns its DSN.
func (s *MariaDBServer) Database(t testing.TB) string {
	t.Helper()
	name := uniqueName()
	if err := s.in.mariadbExec("CREATE DATABASE " + name + " CHARACTER SET utf8mb4"); err != nil {
		t.Fatal(err)
	}
	if s.shared {
		t.Cleanup(func() {
			if err := s.in.mariadbExec("DROP DATABASE " + name); err != nil {
				t.Error(err)
			}
		})
	}
	return s.DSN(name)
}

// newMariaDB prepares a server that is yet to be launched.
func newMariaDB(t testing.TB, options ...MariaDBOption) (*instance, error) {
	t.Helper()
	server, install := findBinary("mariadbd", "mysqld"), findBinary("mariadb-install-db")
	if server == "" || install == "" || mariadbClient() == "" {
		Missing(t, "mariadbd", installMariaDB)
	}
	user := serverOwner("mysql")
	in, err := newInstance("mariadb", user)
	if err != nil {
		return nil, err
	}
	err = shared.mariadbData.copyTo(in.dir, "mariadb", user, func(parent string) error {
		return user.run(parent, install, "--no-defaults", "--datadir="+parent+"/data", "--tmpdir="+parent,
			"--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=16M")
	})
	if err != nil {
		return nil, err
	}
	grants := filepath.Join(in.dir, "grants.sql")
	err = os.WriteFile(grants, []byte("CREATE USER IF NOT EXISTS asyncops@'127.0.0.1';\n"+
		"GRANT ALL PRIVILEGES ON *.* TO asyncops@'127.0.0.1' WITH GRANT OPTION;\n"), 0o644)
	if err != nil {
		return nil, fmt.Errorf("testkit: write %s: %w", grants, err)
	}
	in.ready = in.mariadbGreeting
	in.start.path = server
	in.start.args = []string{"--no-defaults", "--datadir=" + in.dir + "/data", "--tmpdir=" + in.dir, "--port=" + strconv.Itoa(in.port),
		"--bind-address=127.0.0.1", "--socket=" + in.dir + "/s", "--pid-file=" + in.dir + "/pid", "--init-file=" + grants,
		"--skip-name-resolve", "--innodb-log-file-size=16M", "--default-time-zone=+00:00"}
	for _, option := range options {
		option(in)
	}
	return in, nil
}

func mariadbClient() string { return findBinary("mariadb", "mysql") }

// mariadbExec runs one statement through the server's own client program, so
// that the tests of packages without a MySQL driver can use it.
func (in *instance) mariadbExec(statement string) error {
	return in.start.user.run(in.dir, mariadbClient(), "--no-defaults", "--protocol=TCP", "--host=127.0.0.1",
		"--port="+strconv.Itoa(in.port), "--user=asyncops", "--execute="+statement)
}

// mariadbGreeting reports whether the server greets a connection: four bytes
// of header, then the protocol's version, 10. An error packet has 255 there.
func (in *instance) mariadbGreeting() error {
	conn, err := net.DialTimeout("tcp", loopback(in.port), 5*time.Second)
	if err != nil {
		return fmt.Errorf("testkit: connect to %s: %w", in.name, err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	greeting := make([]byte, 5)
	if _, err := io.ReadFull(conn, greeting); err != nil {
		return fmt.Errorf("testkit: read the greeting of %s: %w", in.name, err)
	}
	if greeting[4] != 10 {
		return fmt.Errorf("testkit: %s greets with %d", in.name, greeting[4])
	}
	return nil
}
