package store_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/asyncops/asyncops/store/storetest"
)

// mysqlFixture is a target on MariaDB and a way past it.
type mysqlFixture struct {
	*store.Target
	t  *testing.T
	db storetest.Database
}

// mysqlOn makes tables and a target that may write all of them; change, which
// may be nil, changes the settings.
func mysqlOn(t *testing.T, server *testkit.MariaDBServer, ddl []string, change func(*store.Config)) mysqlFixture {
	t.Helper()
	f := mysqlFixture{t: t, db: openMySQL(t, server.Database(t))}
	cfg := f.db.Config
	cfg.Tables = map[string]store.Table{}
	for _, statement := range ddl {
		f.exec(statement)
		if name, ok := strings.CutPrefix(statement, "CREATE TABLE "); ok {
			cfg.Tables[strings.Fields(name)[0]] = store.Table{Write: true}
		}
	}
	if change != nil {
		change(&cfg)
	}
	f.Target = openTarget(t, cfg)
	return f
}

func openTarget(t *testing.T, cfg store.Config) *store.Target {
	t.Helper()
	target, err := store.Open(cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

func (f mysqlFixture) exec(statement string) {
	f.t.Helper()
	if _, err := f.db.SQL.ExecContext(f.t.Context(), statement); err != nil {
		f.t.Fatalf("%s: %v", statement, err)
	}
}

func (f mysqlFixture) want(op dbop.Operation, want string) {
	f.t.Helper()
	res, err := f.Run(f.t.Context(), op, nil)
	if err != nil {
		f.t.Errorf("Run(%s) = %v, want %s", op.Op, err, want)
	} else if string(res.JSON) != want {
		f.t.Errorf("Run(%s) = %s, want %s", op.Op, res.JSON, want)
	}
}

func (f mysqlFixture) wantCount(table string, want int) {
	f.t.Helper()
	var n int
	if err := f.db.SQL.QueryRowContext(f.t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil || n != want {
		f.t.Errorf("rows of %s = %d, %v, want %d", table, n, err, want)
	}
}

func wantFailure(t *testing.T, err error, class job.Class, code job.Code) {
	t.Helper()
	var failure *job.Failure
	if !errors.As(err, &failure) || failure.Class != class || failure.Code != code {
		t.Errorf("err = %v, want a failure that is %s %s", err, class, code)
	}
}

func insertInto(table string, values ...dbop.Assignment) dbop.Operation {
	return dbop.Operation{Op: dbop.InsertOne, Table: table, Rows: [][]dbop.Assignment{values}, Returning: []string{"*"}}
}

func set(column string, v dbop.Value) dbop.Assignment {
	return dbop.Assignment{Column: column, Value: v}
}

// MySQL cannot return what it inserts: rows are found again by their keys.
func TestMySQLReadsRowsBack(t *testing.T) {
	t.Parallel()
	f := mysqlOn(t, startMariaDB(t, asMySQL("8.0.36")), []string{
		"CREATE TABLE counted (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, v TEXT) AUTO_INCREMENT = 18446744073709551610",
		"CREATE TABLE given (id CHAR(9) PRIMARY KEY, v DECIMAL(5, 2) DEFAULT 1.5)",
		"CREATE TABLE pair (a INT, n INT AUTO_INCREMENT, v TEXT, PRIMARY KEY (a, n), KEY (n))",
		"CREATE TABLE named (id UUID DEFAULT UUID() PRIMARY KEY, name VARCHAR(9) UNIQUE, v TEXT)",
		"CREATE TABLE loose (v TEXT)",
		"CREATE TABLE moved (id INT PRIMARY KEY)",
		"CREATE TRIGGER moves BEFORE INSERT ON moved FOR EACH ROW SET NEW.id = NEW.id + 1",
	}, nil)
	f.want(insertInto("counted", set("v", str("x"))), `{"id":18446744073709551610,"row":{"id":18446744073709551610,"v":"x"},"rows_affected":1}`)
	f.want(insertInto("counted", set("id", num("0"))), `{"id":0,"row":{"id":0,"v":null},"rows_affected":1}`)
	f.want(insertInto("given", set("id", str("k "))), `{"id":"k","row":{"id":"k","v":"1.50"},"rows_affected":1}`)
	f.want(insertInto("pair", set("a", num("7"))), `{"id":null,"row":{"a":7,"n":1,"v":null},"rows_affected":1}`)
	f.want(dbop.Operation{Op: dbop.InsertOne, Table: "loose", Rows: [][]dbop.Assignment{{set("v", str("x"))}}}, `{"id":null,"rows_affected":1}`)
	byName := insertInto("named", set("name", str("n")), set("v", str("x")))
	byName.Returning = []string{"v"}
	res, err := f.Run(t.Context(), byName, nil)
	if err != nil || !strings.Contains(string(res.JSON), `"row":{"v":"x"}`) {
		t.Errorf("a row found by its unique key = %v, %v", res, err)
	}
	for _, op := range []dbop.Operation{insertInto("loose", set("v", str("y"))), insertInto("named", set("v", str("y"))), insertInto("moved", set("id", num("1")))} {
		_, err := f.Run(t.Context(), op, nil)
		wantFailure(t, err, job.ClassPermanent, job.CodeInvalid)
	}
	f.wantCount("loose", 1)
	f.wantCount("moved", 0)
}

func TestMySQLConflictKeys(t *testing.T) {
	t.Parallel()
	f := mysqlOn(t, testkit.MariaDB(t), []string{
		"CREATE TABLE pair (a INT, b VARCHAR(9), v INT NOT NULL DEFAULT 0, part VARCHAR(99), UNIQUE (b, a), UNIQUE (part(3)))",
	}, nil)
	upsert := func(v string, columns ...string) dbop.Operation {
		op := insertInto("pair", set("a", num("1")), set("b", str("x")), set("v", num(v)))
		op.OnConflict = &dbop.OnConflict{Columns: columns, Action: dbop.ConflictUpdate, Update: []string{"v"}}
		op.Returning = []string{"v"}
		return op
	}
	f.want(upsert("1", "a", "b"), `{"id":null,"row":{"v":1},"rows_affected":1}`) // in any order
	f.want(upsert("2", "b", "a"), `{"id":null,"row":{"v":2},"rows_affected":1}`)
	f.want(upsert("2", "b", "a"), `{"id":null,"row":{"v":2},"rows_affected":1}`) // what does not change counts
	for _, columns := range [][]string{{"a"}, {"b"}, {"part"}, {"a", "b", "v"}} {
		_, err := f.Run(t.Context(), upsert("3", columns...), nil)
		wantFailure(t, err, job.ClassPermanent, job.CodeInvalid)
	}
	f.exec("ALTER TABLE pair ADD UNIQUE (a)") // seen without waiting
	f.want(upsert("4", "a"), `{"id":null,"row":{"v":4},"rows_affected":1}`)
	f.wantCount("pair", 1)
}

func TestMySQLZeroDates(t *testing.T) {
	t.Parallel()
	f := mysqlOn(t, testkit.MariaDB(t), []string{"CREATE TABLE old (id INT PRIMARY KEY, d DATE, t DATETIME)"}, nil)
	conn, err := f.db.SQL.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, statement := range []string{"SET SESSION sql_mode = ''", "INSERT INTO old VALUES (1, '0000-00-00', '0000-00-00 00:00:00')"} {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	f.want(dbop.Operation{Op: dbop.SelectOne, Table: "old"}, `{"row":{"id":1,"d":"0000-00-00","t":"0000-00-00 00:00:00"},"cached":false}`)
}

// A table that cannot roll back holds no promise.
func TestMySQLNeedsInnoDB(t *testing.T) {
	t.Parallel()
	ddl := []string{"CREATE TABLE plain (v INT) ENGINE = MyISAM", "CREATE TABLE good (v INT)"}
	queries := func(cfg *store.Config) {
		cfg.Queries = map[string]store.Query{"fill": {SQL: "INSERT INTO plain VALUES (7)", Write: true, Writes: []string{"plain"}}}
	}
	f := mysqlOn(t, testkit.MariaDB(t), ddl, queries)
	_, err := f.Run(t.Context(), dbop.Operation{Op: dbop.Query, Query: "fill", Write: true}, &store.Effect{Job: job.NewID()})
	wantFailure(t, err, job.ClassPermanent, job.CodeInvalid)
	f.wantCount("plain", 0)
	op := insertInto("plain", set("v", num("1")))
	_, err = f.Run(t.Context(), op, &store.Effect{Job: job.NewID()})
	wantFailure(t, err, job.ClassPermanent, job.CodeInvalid)
	f.wantCount("plain", 0)
	f.want(op, `{"id":null,"row":{"v":1},"rows_affected":1}`) // without a promise

	off := mysqlOn(t, testkit.MariaDB(t), ddl, func(cfg *store.Config) { cfg.Effects = store.EffectsOff })
	if _, err := off.Run(t.Context(), op, &store.Effect{Job: job.NewID()}); err != nil {
		t.Errorf("Run with effects off = %v, want nil", err)
	}

	for reason, change := range map[string]string{
		"engine": "ALTER TABLE asyncops_effects ENGINE = Aria", "primary key": "ALTER TABLE asyncops_effects DROP PRIMARY KEY",
	} {
		f := mysqlOn(t, testkit.MariaDB(t), ddl, nil)
		if err := f.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.exec(change)
		if h := f.Health(t.Context()); h.Status != store.StatusDegraded || h.Effects != store.EffectsMissing || !strings.Contains(h.Detail(), reason) {
			t.Errorf("Health() after %q = %+v, want degraded for its %s", change, h, reason)
		}
		_, err := f.Run(t.Context(), insertInto("good", set("v", num("1"))), &store.Effect{Job: job.NewID(), Required: true})
		wantFailure(t, err, job.ClassRetryable, job.CodeEffectsMissing)
		f.wantCount("good", 0)
		if got := f.Delivery(dbop.InsertOne); got != job.AtLeastOnce {
			t.Errorf("Delivery after %q = %s, want %s", change, got, job.AtLeastOnce)
		}
	}
}

func TestMySQLExplain(t *testing.T) {
	t.Parallel()
	registry, err := store.NewRegistry(store.Config{Name: "main", Driver: store.MySQL, Tables: map[string]store.Table{"users": {Write: true}}})
	if err != nil {
		t.Fatal(err)
	}
	where := dbop.And{dbop.Compare{Column: "id", Op: dbop.Gt, Value: num("5")}, dbop.Compare{Column: "a`b", Op: dbop.Like, Value: str("secret%")}}
	insert := insertInto("users", set("email", str("secret")), set("name", str("secret")))
	ignore, update := insert, insert
	ignore.OnConflict = &dbop.OnConflict{Columns: []string{"email"}, Action: dbop.ConflictIgnore}
	update.OnConflict = &dbop.OnConflict{Columns: []string{"email"}, Action: dbop.ConflictUpdate}
	for _, c := range []struct {
		op   dbop.Operation
		want string
	}{
		{dbop.Operation{Op: dbop.SelectMany, Table: "users", Columns: []string{"id"}, Where: where, Limit: 10},
			"SELECT `t`.`id` FROM `users` AS `t` WHERE (`t`.`id` > ? AND `t`.`a``b` LIKE ? ESCAPE '\\\\') LIMIT 10"},
		{dbop.Operation{Op: dbop.DeleteOne, Table: "users", Where: where[0]}, "DELETE `t` FROM `users` AS `t` WHERE `t`.`id` > ?"},
		{insertInto("users"), "INSERT INTO `users` () VALUES ()"},
		{insert, "INSERT INTO `users` (`email`, `name`) VALUES (?, ?)"},
		{ignore, "SELECT 1 FROM `users` AS `t` WHERE `t`.`email` = ? FOR UPDATE; INSERT INTO `users` (`email`, `name`) VALUES (?, ?)"},
		{update, "SELECT 1 FROM `users` AS `t` WHERE `t`.`email` = ? FOR UPDATE; INSERT INTO `users` (`email`, `name`) VALUES (?, ?); " +
			"or UPDATE `users` AS `t` SET `name` = ? WHERE `t`.`email` = ?"},
	} {
		if got, err := registry.Explain(c.op); err != nil || got != c.want {
			t.Errorf("Explain(%s) = %s, %v\nwant %s", c.op.Op, got, err, c.want)
		}
	}
}
