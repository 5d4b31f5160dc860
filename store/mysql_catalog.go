package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/asyncops/asyncops/internal/mysqlconn"
)

// The catalog's questions. Arguments: the schema as an expression, the table's
// name as a constant.
const (
	mysqlColumns = `SELECT c.COLUMN_NAME, c.DATA_TYPE, c.COLUMN_TYPE, c.EXTRA LIKE '%%auto_increment%%', c.IS_NULLABLE = 'YES', COALESCE(t.ENGINE, '')
FROM information_schema.COLUMNS AS c JOIN information_schema.TABLES AS t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
WHERE c.TABLE_SCHEMA = %[1]s AND c.TABLE_NAME = %[2]s ORDER BY c.ORDINAL_POSITION`
	// A part of a column, or an expression, makes its key none that can be named.
	mysqlKeys = `SELECT INDEX_NAME, COALESCE(COLUMN_NAME, ''), COLUMN_NAME IS NOT NULL AND SUB_PART IS NULL
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = %[1]s AND TABLE_NAME = %[2]s AND NON_UNIQUE = 0
ORDER BY INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX`
	// MariaDB keeps JSON in a LONGTEXT with a check.
	mysqlChecks = `SELECT CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = %[1]s AND TABLE_NAME = %[2]s`
)

func describeMySQL(ctx context.Context, db querier, schema, name string) (*table, error) {
	in, t := "DATABASE()", &table{schema: schema, name: name}
	if schema != "" {
		in = mysqlconn.Literal(schema)
	}
	ask := func(question string, scan func(*sql.Rows) error) error {
		rows, err := db.QueryContext(ctx, fmt.Sprintf(question, in, mysqlconn.Literal(name)))
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			if err := scan(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}
	long := false // a column may be JSON in disguise
	err := ask(mysqlColumns, func(rows *sql.Rows) error {
		var c columnInfo
		var typ, engine string
		if err := rows.Scan(&c.name, &typ, &c.declared, &c.counted, &c.nullable, &engine); err != nil {
			return err
		}
		c.class = mysqlClass(typ, c.declared)
		long = long || strings.EqualFold(typ, "longtext")
		if engine != "" && !strings.EqualFold(engine, "InnoDB") { // a view has none
			t.engine = engine
		}
		t.columns = append(t.columns, c)
		return nil
	})
	if err != nil || len(t.columns) == 0 {
		return nil, err
	}
	if err := describeKeys(t, ask); err != nil {
		return nil, err
	}
	if !long {
		return t, nil
	}
	err = ask(mysqlChecks, func(rows *sql.Rows) error {
		var clause string
		if err := rows.Scan(&clause); err != nil {
			return err
		}
		for i := range t.columns {
			if strings.EqualFold(clause, "json_valid(`"+t.columns[i].name+"`)") {
				t.columns[i].class = classJSON
			}
		}
		return nil
	})
	if code := mysqlconn.Code(err); code == 1054 || code == 1109 { // MySQL, whose JSON is a type of its own
		err = nil
	}
	return t, err
}

// describeKeys reads the table's unique keys, all of whose parts are columns.
func describeKeys(t *table, ask func(string, func(*sql.Rows) error) error) error {
	var keys [][]string
	useless := map[int]bool{} // among keys
	last := ""
	err := ask(mysqlKeys, func(rows *sql.Rows) error {
		var index, column string
		var plain bool
		if err := rows.Scan(&index, &column, &plain); err != nil {
			return err
		}
		if index != last {
			keys, last = append(keys, nil), index
		}
		at := len(keys) - 1
		keys[at] = append(keys[at], column)
		useless[at] = useless[at] || !plain
		if index == "PRIMARY" {
			t.key = keys[at]
		}
		return nil
	})
	for i, key := range keys {
		if !useless[i] {
			t.unique = append(t.unique, key)
		}
	}
	return err
}

// mysqlClass knows a type by its name, and the two that hold a boolean by how
// they are declared.
func mysqlClass(typ, declared string) class {
	switch strings.ToLower(typ) {
	case "tinyint", "bit":
		if declared == "tinyint(1)" || declared == "bit(1)" {
			return classBool
		}
		return classInt
	case "smallint", "mediumint", "int", "bigint", "year":
		return classInt
	case "float", "double":
		return classFloat
	case "decimal":
		return classDecimal
	case "timestamp":
		return classTime
	case "datetime":
		return classLocalTime
	case "date":
		return classDate
	case "json":
		return classJSON
	case "char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set":
		return classText
	case "time", "uuid", "inet4", "inet6":
		return classOther
	}
	return classBytes // binary strings; and geometries and vectors, as the server keeps them
}
