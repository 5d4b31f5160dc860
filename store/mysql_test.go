package store_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/internal/mysqlconn"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/store"
	"github.com/asyncops/asyncops/store/storetest"
)

var mysqlDDL = storetest.DDL{
	Users: `CREATE TABLE users (id BIGINT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(200) UNIQUE, name VARCHAR(100), age INT,
		balance DECIMAL(20, 2), active BOOLEAN NOT NULL DEFAULT true, seen_at TIMESTAMP(6) NULL)`,
	Log:       `CREATE TABLE log (nonce TEXT)`,
	Slow:      `CREATE VIEW slow AS SELECT 1 AS id, SLEEP(30) AS slept`,
	Transfers: `CREATE TABLE transfers (id BIGINT AUTO_INCREMENT PRIMARY KEY, source INT, target INT, amount DECIMAL(20, 2))`,
	Sneak:     `CREATE FUNCTION sneak() RETURNS INT DETERMINISTIC MODIFIES SQL DATA BEGIN INSERT INTO log (nonce) VALUES ('sneaked'); RETURN 1; END`,
	Undo:      `CREATE TRIGGER undoes AFTER INSERT ON log FOR EACH ROW DELETE FROM asyncops_effects`,
}

func TestMariaDB(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Harness{
		Database: func(t *testing.T) storetest.Database { return openMySQL(t, testkit.MariaDBDatabase(t)) },
		Server:   func(t *testing.T) storetest.Server { return mysqlServer(t, startMariaDB(t)) },
		Crowded:  mysqlCrowded,
		DDL:      mysqlDDL, Values: mysqlValues(), Returning: true, Quote: "`", Transfer: documentedTransfer(t),
	})
}

// startMariaDB starts a server that keeps its temporary files to itself: one
// that starts removes those it takes for left over from where others have theirs.
func startMariaDB(t *testing.T, options ...testkit.MariaDBOption) *testkit.MariaDBServer {
	t.Helper()
	return testkit.StartMariaDB(t, append(options, testkit.MariaDBSetting("tmpdir", "."))...)
}

// asMySQL has a MariaDB server call itself MySQL: what MySQL cannot do is then
// not asked of it.
func asMySQL(version string) testkit.MariaDBOption { return testkit.MariaDBSetting("version", version) }

// TestMySQL runs the suite the way MySQL needs it: no RETURNING, no
// @@in_transaction, no bound on the time of writes.
func TestMySQL(t *testing.T) {
	t.Parallel()
	server := startMariaDB(t, asMySQL("8.0.36"))
	ddl := mysqlDDL
	ddl.Log = `CREATE TABLE log (nonce TEXT, seq BIGINT AUTO_INCREMENT PRIMARY KEY)` // by which rows are read back
	storetest.Run(t, storetest.Harness{
		Database: func(t *testing.T) storetest.Database { return openMySQL(t, server.Database(t)) },
		Server:   func(t *testing.T) storetest.Server { return mysqlServer(t, startMariaDB(t, asMySQL("8.4.1"))) },
		DDL:      ddl, Values: mysqlValues(), Quote: "`", Transfer: documentedTransfer(t),
	})
}

// openMySQL gives the store a database of testkit's.
func openMySQL(t testing.TB, dsn string) storetest.Database {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	my := mysqlconn.Config{Address: u.Host, User: u.User.Username(), Database: u.Path[1:], TLSMode: mysqlconn.TLSDisable}
	look := my
	look.MaxOpen = 3
	db, err := mysqlconn.Open(look)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return storetest.Database{
		Config: store.Config{Name: "target", Driver: store.MySQL, MySQL: my, PoolSize: 25},
		SQL:    db.DB,
		KillOne: func(t *testing.T) int {
			var id int64
			err := db.QueryRowContext(t.Context(), `SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID() ORDER BY RAND() LIMIT 1`).Scan(&id)
			if err != nil {
				return 0 // none is there
			}
			if _, err := db.ExecContext(t.Context(), fmt.Sprintf("KILL %d", id)); err != nil {
				return 0 // it has gone meanwhile
			}
			return 1
		},
		Running: func() error {
			var n int
			err := db.QueryRowContext(context.Background(), `SELECT COUNT(*) FROM information_schema.PROCESSLIST
				WHERE DB = DATABASE() AND ID <> CONNECTION_ID() AND COMMAND <> 'Sleep' AND INFO LIKE '%slow%'`).Scan(&n)
			if err == nil && n > 0 {
				err = fmt.Errorf("%d statements still run", n)
			}
			return err
		},
		Waiting: func(want int) error {
			var n int
			err := db.QueryRowContext(context.Background(), `SELECT COUNT(*) FROM information_schema.INNODB_TRX AS x
				JOIN information_schema.PROCESSLIST AS p ON p.ID = x.trx_mysql_thread_id WHERE p.DB = DATABASE() AND x.trx_state = 'LOCK WAIT'`).Scan(&n)
			if err == nil && n != want {
				err = fmt.Errorf("%d statements wait for a lock, want %d", n, want)
			}
			return err
		},
	}
}

func mysqlServer(t *testing.T, server *testkit.MariaDBServer) storetest.Server {
	t.Helper()
	db := openMySQL(t, server.Database(t))
	through := func(addr string) store.Config {
		cfg := db.Config
		cfg.MySQL.Address = addr
		return cfg
	}
	return storetest.Server{
		Database: db, Kill: server.Kill, Restart: server.Restart, Freeze: server.Freeze, Thaw: server.Thaw, Addr: server.Addr, Through: through,
		LoseCommit: func() store.Config {
			proxy := testkit.Proxy(t, server.Addr())
			proxy.LoseReply(func(request []byte) bool { return bytes.Contains(request, []byte("\x03COMMIT")) }) // a query, not READ COMMITTED
			return through(proxy.Addr())
		},
	}
}

func mysqlCrowded(t *testing.T) storetest.Crowded {
	t.Helper()
	server := startMariaDB(t, testkit.MariaDBSetting("max_connections", "10"))
	db := openMySQL(t, server.Database(t))
	return storetest.Crowded{Database: db, Fill: func(t *testing.T) func() { return fill(t, db.SQL) }}
}

func mysqlValues() []storetest.ValueCase {
	return []storetest.ValueCase{
		{Type: "TINYINT", In: num("-128"), Want: "-128"},
		{Type: "TINYINT", In: num("128")},
		{Type: "TINYINT", In: truth("true"), Want: "1"},
		{Type: "TINYINT UNSIGNED", In: num("-1")},
		{Type: "BOOLEAN", In: truth("true"), Want: "true"},
		{Type: "BOOLEAN", In: truth("false"), Want: "false"},
		{Type: "BOOLEAN", In: num("5"), Want: "5"},
		{Type: "BOOLEAN", In: str("yes")},
		{Type: "INT", In: num("2147483648")},
		{Type: "INT", In: num("1.5")},
		{Type: "INT", In: str("x")},
		{Type: "INT", In: js(`{"a":1}`)},
		{Type: "INT(8) ZEROFILL", In: num("42"), Want: "42"},
		{Type: "YEAR", In: num("2026"), Want: "2026"},
		{Type: "BIGINT", In: num("-9223372036854775808"), Want: "-9223372036854775808"},
		{Type: "BIGINT", In: num("9007199254740993"), Want: "9007199254740993"},
		{Type: "BIGINT", In: str("9007199254740993"), Want: "9007199254740993"},
		{Type: "BIGINT", In: num("9223372036854775808")},
		{Type: "BIGINT UNSIGNED", In: num("18446744073709551615"), Want: "18446744073709551615"},
		{Type: "BIGINT UNSIGNED", In: num("18446744073709551616")},
		{Type: "BIGINT UNSIGNED", In: num("-1")},
		{Type: "BIT(1)", In: truth("true"), Want: "true"},
		{Type: "BIT(1)", In: truth("false"), Want: "false"},
		{Type: "BIT(1)", In: num("2")},
		{Type: "BIT(8)", In: num("200"), Want: "200"},
		{Type: "BIT(64)", In: num("18446744073709551615"), Want: "18446744073709551615"},
		{Type: "DECIMAL(10,2)", In: num("12.5"), Want: `"12.50"`},
		{Type: "DECIMAL(10,2)", In: str("-0.01"), Want: `"-0.01"`},
		{Type: "DECIMAL(10,2)", In: num("1e3"), Want: `"1000.00"`},
		{Type: "DECIMAL(10,2)", In: num("123456789.00")},
		{Type: "DECIMAL(10,2)", In: str("NaN")},
		{Type: "DECIMAL(65,30)", In: str("-12345678901234567890.123456789012345678901234567891"), Want: `"-12345678901234567890.123456789012345678901234567891"`},
		{Type: "DECIMAL(65)", In: num(strings.Repeat("9", 65)), Want: `"` + strings.Repeat("9", 65) + `"`},
		{Type: "DECIMAL(65)", In: num("1e400")},
		{Type: "DECIMAL(65,30)", In: num("1.5e-29"), Want: `"0.000000000000000000000000000015"`},
		{Type: "FLOAT", In: num("0.1"), Want: "0.1"},
		{Type: "FLOAT", In: num("16777216.5"), Want: "1.6777216e+07"},
		{Type: "FLOAT", In: num("1e39")},
		{Type: "DOUBLE", In: num("0.1"), Want: "0.1"},
		{Type: "DOUBLE", In: num("0.30000000000000004"), Want: "0.30000000000000004"},
		{Type: "DOUBLE", In: num("-1.7976931348623157e308"), Want: "-1.7976931348623157e+308"},
		{Type: "DOUBLE", In: num("5e-324"), Want: "5e-324"},
		{Type: "DOUBLE", In: num("1e400")},
		{Type: "DOUBLE", In: str("NaN")},
		{Type: "TEXT", In: str(odd), Want: oddJSON},
		{Type: "TEXT", In: str(`C:\new\0 100\% \_ \\`), Want: `"C:\\new\\0 100\\% \\_ \\\\"`},
		{Type: "TEXT", In: str(""), Want: `""`},
		{Type: "TEXT", In: str("null"), Want: `"null"`},
		{Type: "TEXT", In: num("12.50"), Want: `"12.50"`},
		{Type: "TEXT", In: str("nul\x00byte")},
		{Type: "TEXT", In: bin("x")},
		{Type: "TEXT", In: js(`[1]`)},
		{Type: "VARCHAR(3)", In: str("abcd")},
		{Type: "VARCHAR(9) CHARACTER SET latin1", In: str("ü"), Want: `"ü"`},
		{Type: "VARCHAR(9) CHARACTER SET latin1", In: str("😀")},
		{Type: "ENUM('a','b','7')", In: str("b"), Want: `"b"`},
		{Type: "ENUM('a','b','7')", In: str("7"), Want: `"7"`},
		{Type: "ENUM('a','b','7')", In: str("c")},
		{Type: "ENUM('a','b','7')", In: str("2")}, // an index
		{Type: "SET('a','b')", In: str("a,b"), Want: `"a,b"`},
		{Type: "SET('a','b')", In: str("3")},
		{Type: "TIMESTAMP(6) NULL", In: str("2026-11-23T10:00:00.123456+02:00"), Want: `"2026-11-23T08:00:00.123456Z"`},
		{Type: "TIMESTAMP(6) NULL", In: str("2026-11-23T10:00:00.1234565Z"), Want: `"2026-11-23T10:00:00.123457Z"`},
		{Type: "TIMESTAMP NULL", In: str("1960-01-01T00:00:00Z")},
		{Type: "DATETIME(6)", In: str("2026-11-23 10:00:00.5"), Want: `"2026-11-23T10:00:00.5Z"`},
		{Type: "DATETIME", In: str("2026-11-23T10:00:00+02:00"), Want: `"2026-11-23T08:00:00Z"`},
		{Type: "DATETIME", In: str("0000-00-00 00:00:00")},
		{Type: "DATETIME", In: str("tomorrow")},
		{Type: "DATE", In: str("2026-11-23"), Want: `"2026-11-23"`},
		{Type: "DATE", In: str("2026-02-30")},
		{Type: "DATE", In: str("0000-00-00")},
		{Type: "TIME", In: str("-10:00:00"), Want: `"-10:00:00"`},
		{Type: "TIME(3)", In: str("838:59:58.5"), Want: `"838:59:58.500"`},
		{Type: "TIME", In: str("noon")},
		{Type: "TIME", In: str("10:61:00")},
		{Type: "BLOB", In: bin("\x00\xff\\'x"), Want: `{"$base64":"AP9cJ3g="}`},
		{Type: "BLOB", In: bin(""), Want: `{"$base64":""}`},
		{Type: "VARBINARY(4)", In: str("AB"), Want: `{"$base64":"QUI="}`},
		{Type: "VARBINARY(4)", In: bin("abcde")},
		{Type: "BINARY(4)", In: bin("ab"), Want: `{"$base64":"YWIAAA=="}`, Unequal: true},
		{Type: "POINT", In: bin(point), Want: `{"$base64":"AAAAAAEBAAAAAAAAAAAA8D8AAAAAAAAAQA=="}`},
		{Type: "POINT", In: str("POINT(1 2)")},
		{Type: "JSON", In: js(`{"a": [1, {"b": null}], "n": 12345678901234567890.5, "s": "it's \\ \"x\""}`), Want: `{"a":[1,{"b":null}],"n":12345678901234567890.5,"s":"it's \\ \"x\""}`, NamedText: true},
		{Type: "JSON", In: str("text"), Want: `"text"`, NamedText: true},
		{Type: "JSON", In: num("1"), Want: "1", NamedText: true},
		{Type: "JSON", In: truth("true"), Want: "true", NamedText: true},
		{Type: "JSON", In: bin("x")},
		{Type: "UUID", In: str("0192F3A4-0000-7000-8000-0000000000ff"), Want: `"0192f3a4-0000-7000-8000-0000000000ff"`},
		{Type: "UUID", In: str("no uuid")},
		{Type: "INET6", In: str("2001:DB8::1"), Want: `"2001:db8::1"`},
		{Type: "LONGTEXT", In: str(strings.Repeat(`long' \`, 200_000)), Want: `"` + strings.Repeat(`long' \\`, 200_000) + `"`},
	}
}

// point is POINT(1 2) as the server keeps it: SRID, byte order, type, two numbers.
const point = "\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\x00\x40"
