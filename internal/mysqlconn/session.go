package mysqlconn

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// session is what a connection knows of its other end.
type session struct {
	thread uint64 // the server's number of the connection
	host   string // tells servers behind one address apart
	server Server
}

// sqlMode makes the server refuse what it would otherwise bend to fit, and
// read SQL as Literal writes it: no ANSI_QUOTES, no NO_BACKSLASH_ESCAPES.
const sqlMode = "STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO," +
	"NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO"

// setUp learns who answers and gives the session its settings, whatever the
// server's own are.
func setUp(ctx context.Context, inner innerConn, cfg Config) (session, error) {
	row, err := queryRow(ctx, inner, "SELECT CAST(CONNECTION_ID() AS CHAR), VERSION(), CONCAT_WS(':', @@hostname, @@port, @@server_id)", 3)
	if err != nil {
		return session{}, err
	}
	thread, err := strconv.ParseUint(row[0], 10, 64)
	if err != nil {
		return session{}, fmt.Errorf("the server's number of the connection is %q: %w", row[0], err)
	}
	s := session{thread: thread, server: parseServer(row[1]), host: row[2]}
	idle := wholeSeconds(orDefault(cfg.IdleTimeout, defaultIdleTimeout))
	lock := wholeSeconds(orDefault(cfg.LockTimeout, defaultLockTimeout))
	settings := []string{
		"sql_mode = '" + sqlMode + "'", "time_zone = '+00:00'", "autocommit = 1", "completion_type = 0", "sql_auto_is_null = 0", "sql_safe_updates = 0",
		"innodb_lock_wait_timeout = " + lock, "lock_wait_timeout = " + lock, "net_read_timeout = " + idle, "net_write_timeout = " + idle,
	}
	if s.server.MariaDB {
		settings = append(settings, "idle_transaction_timeout = "+idle)
		if cfg.StatementTimeout > 0 {
			settings = append(settings, "max_statement_time = "+strconv.FormatFloat(cfg.StatementTimeout.Seconds(), 'f', 6, 64))
		}
	} else {
		settings = append(settings, "wait_timeout = "+idle)
	}
	statements := []string{"SET SESSION " + strings.Join(settings, ", "), "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"}
	for _, statement := range statements {
		if _, err := inner.ExecContext(ctx, statement, nil); err != nil {
			return session{}, err
		}
	}
	if !s.server.MariaDB && cfg.StatementTimeout > 0 {
		_, err := inner.ExecContext(ctx, "SET SESSION max_execution_time = "+strconv.FormatInt(max(cfg.StatementTimeout.Milliseconds(), 1), 10), nil)
		if err != nil && Code(err) != codeUnknownVariable { // not every server that speaks MySQL's language has it
			return session{}, err
		}
	}
	return s, nil
}

// wholeSeconds rounds up: 0 would mean something else to the server.
func wholeSeconds(d time.Duration) string {
	return strconv.FormatInt(max(int64((d+time.Second-1)/time.Second), 1), 10)
}

// queryRow returns the columns of the only row.
func queryRow(ctx context.Context, inner innerConn, query string, columns int) ([]string, error) {
	rows, err := inner.QueryContext(ctx, query, nil)
	if err != nil {
		return nil, err
	}
	dest := make([]driver.Value, columns)
	if err := rows.Next(dest); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		_ = rows.Close()
		return nil, err
	}
	texts := make([]string, columns)
	for i, value := range dest {
		text, _ := value.([]byte)
		texts[i] = string(text)
	}
	return texts, rows.Close()
}
