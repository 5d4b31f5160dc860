package config_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asyncops/asyncops/config"
)

func TestParseDSN(t *testing.T) {
	t.Parallel()
	tests := []struct {
		dsn  string
		want config.DSN
		text string // what String returns
	}{
		{
			"postgres://app@localhost/app",
			config.DSN{Driver: "postgres", Network: "tcp", Address: "localhost:5432", User: "app", Database: "app", SSLMode: "disable"},
			"postgres://app@localhost:5432/app?sslmode=disable",
		},
		{
			"postgresql://app:p%40%2F%3A%20w@db.example.com:6432/my%20app?application_name=x&search_path=a,b&connect_timeout=5",
			config.DSN{
				Driver: "postgres", Network: "tcp", Address: "db.example.com:6432", User: "app", Password: config.NewSecret("p@/: w"),
				Database: "my app", SSLMode: "verify-full", ConnectTimeout: 5 * time.Second,
				Params: map[string]string{"application_name": "x", "search_path": "a,b"},
			},
			"postgres://app:[secret]@db.example.com:6432/my%20app?application_name=x&connect_timeout=5s&search_path=a%2Cb&sslmode=verify-full",
		},
		{
			"postgres://app@[::1]/app",
			config.DSN{Driver: "postgres", Network: "tcp", Address: "[::1]:5432", User: "app", Database: "app", SSLMode: "disable"},
			"postgres://app@[::1]:5432/app?sslmode=disable",
		},
		{
			"postgres://app@10.0.0.1/app?sslmode=require&sslrootcert=/ca.pem",
			config.DSN{Driver: "postgres", Network: "tcp", Address: "10.0.0.1:5432", User: "app", Database: "app", SSLMode: "verify-ca", TLSCA: "/ca.pem"},
			"postgres://app@10.0.0.1:5432/app?ca_file=%2Fca.pem&sslmode=verify-ca",
		},
		{
			"postgres://app@/app?host=/run/postgresql&port=5433",
			config.DSN{Driver: "postgres", Network: "unix", Address: "/run/postgresql/.s.PGSQL.5433", User: "app", Database: "app", SSLMode: "disable"},
			"postgres://app@/app?host=%2Frun%2Fpostgresql&port=5433&sslmode=disable",
		},
		{
			"mysql://u:p@h:3307/db?tls=true&charset=utf8mb4",
			config.DSN{
				Driver: "mysql", Network: "tcp", Address: "h:3307", User: "u", Password: config.NewSecret("p"), Database: "db",
				SSLMode: "verify-full", Params: map[string]string{"charset": "utf8mb4"},
			},
			"mysql://u:[secret]@h:3307/db?charset=utf8mb4&tls=verify-full",
		},
		{
			"mariadb://u@h/db?tls=skip-verify",
			config.DSN{Driver: "mysql", Network: "tcp", Address: "h:3306", User: "u", Database: "db", SSLMode: "require"},
			"mysql://u@h:3306/db?tls=require",
		},
		{
			"mysql://u@/db?socket=/run/mysqld/mysqld.sock",
			config.DSN{Driver: "mysql", Network: "unix", Address: "/run/mysqld/mysqld.sock", User: "u", Database: "db", SSLMode: "disable"},
			"mysql://u@/db?socket=%2Frun%2Fmysqld%2Fmysqld.sock&tls=disable",
		},
		{"sqlite:data/x.db", config.DSN{Driver: "sqlite", Path: "data/x.db"}, "sqlite:data/x.db"},
		{"sqlite:/var/x.db?mode=ro", config.DSN{Driver: "sqlite", Path: "/var/x.db", Params: map[string]string{"mode": "ro"}}, "sqlite:/var/x.db?mode=ro"},
		{"sqlite::memory:", config.DSN{Driver: "sqlite", Path: ":memory:"}, "sqlite::memory:"},
	}
	for _, test := range tests {
		got, err := config.ParseDSN(test.dsn)
		if err != nil {
			t.Errorf("ParseDSN(%q) = %v, want no error", test.dsn, err)
			continue
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("ParseDSN(%q) (-want +got):\n%s", test.dsn, diff)
		}
		if got.String() != test.text {
			t.Errorf("ParseDSN(%q).String() = %q, want %q", test.dsn, got, test.text)
		}
	}
}

func TestParseDSNProblems(t *testing.T) {
	t.Parallel()
	tests := []struct{ dsn, want string }{
		{"", "not a database address"},
		{"localhost", "not a database address"},
		{"postgres:app", "not a database address"},
		{"oracle://u@h/d", "not a database address"},
		{"postgres://localhost/app", "names no user"},
		{"postgres://app@localhost", "names no database"},
		{"postgres://app@localhost/", "names no database"},
		{"postgres://app@localhost/a/b", "names no database"},
		{"postgres://app@/app", "must name one host"},
		{"postgres://app@a,b/app", "must name one host"},
		{"postgres://app@h:0/app", "has a port"},
		{"postgres://app@h:99999/app", "has a port"},
		{"postgres://app@h:x/app", "has a port"},
		{"postgres://app@::1/app", "malformed host"},
		{"postgres://app@h h/app", "no valid host"},
		{"postgres://app:p%zz@h/app", "malformed password"},
		{"postgres://a%zz@h/app", "malformed user"},
		{"postgres://app@h/a%zz", "malformed path"},
		{"postgres://app:pa/ss@h/app", "behind the host"},
		{"postgres://app:pa?ss@h/app", "behind the host"},
		{"postgres://app:pa#ss@h/app", "has a #"},
		{"postgres://app@h/app?sslmode=prefer", "may fall back to plain text"},
		{"postgres://app@h/app?sslmode=on", "unknown sslmode"},
		{"postgres://app@h/app?sslmode=disable&ca_file=/x", "uses no TLS"},
		{"postgres://app@h/app?sslmod=disable", `did you mean "sslmode"?`},
		{"postgres://app@h/app?sslmode=disable&sslmode=require", "twice"},
		{"postgres://app@h/app?a=%zz", "malformed parameters"},
		{"postgres://app@h/app?connect_timeout=soon", "malformed connect_timeout"},
		{"postgres://app@h/app?host=/run", "names a socket wrongly"},
		{"postgres://app@/app?host=run", "names a socket wrongly"},
		{"postgres://app@h/app?port=1", "port parameter"},
		{"mysql://u@h/d?tls=preferred", "may fall back to plain text"},
		{"mysql://u@h/d?sslmode=disable", "unknown parameter"},
		{"sqlite:", "names no file"},
		{"sqlite::mem:", "names no file"},
		{"sqlite:///x.db", "ambiguous"},
		{"sqlite:x.db?mode=x", "mode that does not exist"},
		{"sqlite:x.db?cache=shared", "unknown parameter"},
	}
	for _, test := range tests {
		got, err := config.ParseDSN(test.dsn)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("ParseDSN(%q) = %v, %v, want an error with %q", test.dsn, got, err, test.want)
		}
		if !got.IsZero() && err != nil && got.Driver != "sqlite" {
			t.Errorf("ParseDSN(%q) = %v beside an error, want nothing", test.dsn, got)
		}
	}
}

// FuzzParseDSN checks that what is parsed is written so that it parses to the
// same, that a password arrives as it was, and that nothing printed depends on
// it.
func FuzzParseDSN(f *testing.F) {
	f.Add("postgres://app@localhost/app", "hunter2")
	f.Add("mysql://u@/db?socket=/x", "p@/:?#%")
	f.Add("sqlite:x?mode=ro", "")
	f.Add("postgres://a@/d?host=/r&port=1", "x")
	f.Fuzz(func(t *testing.T, text, password string) {
		dsn, err := config.ParseDSN(text)
		if err != nil {
			return
		}
		if dsn.Password.IsZero() {
			again, err := config.ParseDSN(dsn.String())
			if err != nil {
				t.Fatalf("ParseDSN(%q), written by ParseDSN(%q) = %v", dsn, text, err)
			}
			if diff := cmp.Diff(dsn, again); diff != "" {
				t.Errorf("ParseDSN(%q) twice differs:\n%s", text, diff)
			}
		}
		if password == "" {
			return
		}
		with := func(password string) string {
			return "postgres://app:" + url.QueryEscape(password) + "@h/d"
		}
		one, err := config.ParseDSN(strings.ReplaceAll(with(password), "+", "%20"))
		if err != nil || one.Password.Reveal() != password {
			t.Fatalf("password = %q, %v, want %q", one.Password.Reveal(), err, password)
		}
		other, err := config.ParseDSN(with("other"))
		if err != nil || one.String() != other.String() {
			t.Errorf("String = %q, %v, want %q whatever the password", one, err, other)
		}
	})
}
