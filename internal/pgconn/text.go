package pgconn

import (
	"bufio"
	"context"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// textStmt is a prepared statement of a pool with TextRows. It is the server's
// unnamed one, parsed again by every run together with its values, so that it
// leaves nothing behind, whatever else the connection does in between, and
// nothing in it gets old when a table changes. pgdriver's own statements read
// values by types that do not hold all that the server has (infinite times),
// and tell nobody which types those were.
//
// Its messages go over pgdriver's connection, between two calls of pgdriver,
// when neither side owes the other anything.
type textStmt struct {
	c      *conn
	query  string
	params int
}

var (
	_ driver.StmtExecContext  = (*textStmt)(nil)
	_ driver.StmtQueryContext = (*textStmt)(nil)
)

func (c *conn) prepareText(ctx context.Context, query string) (driver.Stmt, error) {
	s := &textStmt{c: c, query: query}
	err := c.call(ctx, func(context.Context) error {
		var m messages
		m.parse(query)
		m.describe('S')
		m.sync()
		answer, err := s.send(m)
		if err != nil {
			return err
		}
		err = answer.finish()
		s.params = answer.params
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *textStmt) NumInput() int { return s.params }

// Close does nothing: the server keeps nothing of the statement.
func (s *textStmt) Close() error { return nil }

func (s *textStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	var answer *textRows
	err := s.c.call(ctx, func(context.Context) (err error) {
		if answer, err = s.run(args); err != nil {
			return err
		}
		return answer.finish()
	})
	if err != nil {
		return nil, err
	}
	return answer.affected(), nil
}

func (s *textStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.c.query(ctx, func(context.Context) (driver.Rows, error) {
		answer, err := s.run(args)
		if err != nil {
			return nil, err
		}
		return answer, answer.begin()
	})
}

// Exec is not called: database/sql prefers ExecContext.
func (s *textStmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }

// Query is not called: database/sql prefers QueryContext.
func (s *textStmt) Query([]driver.Value) (driver.Rows, error) { return nil, driver.ErrSkip }

// run sends the statement with its values.
func (s *textStmt) run(args []driver.NamedValue) (*textRows, error) {
	if err := checkText(args); err != nil {
		return nil, err
	}
	var m messages
	m.parse(s.query)
	if err := m.bind(args); err != nil {
		return nil, err
	}
	m.describe('P')
	m.execute()
	m.sync()
	return s.send(m)
}

func (s *textStmt) send(m messages) (*textRows, error) {
	wire := s.c.inner.Conn()
	if err := wire.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	if err := wire.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return nil, err
	}
	if _, err := wire.Write(m.b); err != nil {
		return nil, err
	}
	return &textRows{c: s.c, r: bufio.NewReader(wire)}, nil
}

// textRows is the answer to a statement, read as it is asked for. Values are
// strings, in the server's spelling.
type textRows struct {
	c      *conn
	r      *bufio.Reader
	names  []string
	types  []uint32 // OIDs
	params int      // of the statement, if it was asked for
	row    []byte   // a data row that begin has met, else nil
	tag    string   // what the server says that it has done
	err    error    // the server's first
	done   bool     // it waits for the next statement
	body   []byte   // of the last message; used again
}

func (r *textRows) Columns() []string { return r.names }

// ColumnTypeDatabaseTypeName returns the OID of the type, that of a domain's
// base type for a domain.
func (r *textRows) ColumnTypeDatabaseTypeName(i int) string {
	return strconv.FormatUint(uint64(r.types[i]), 10)
}

// Close does nothing: rows.Close has read to the end.
func (r *textRows) Close() error { return nil }

// begin reads up to the first row, or to the end.
func (r *textRows) begin() error {
	for r.row == nil && !r.done {
		if err := r.step(); err != nil {
			return err
		}
	}
	return r.err
}

func (r *textRows) Next(dest []driver.Value) error {
	for r.row == nil && !r.done {
		if err := r.step(); err != nil {
			return err
		}
	}
	if r.row == nil {
		if r.err != nil {
			return r.err
		}
		return io.EOF
	}
	row := r.row
	r.row = nil
	if dest == nil {
		return nil
	}
	return split(row, dest)
}

// finish reads to the end.
func (r *textRows) finish() error {
	for !r.done {
		if err := r.step(); err != nil {
			return err
		}
		r.row = nil
	}
	return r.err
}

// affected reads the number at the end of the server's words, as in INSERT 0 3.
func (r *textRows) affected() driver.Result {
	n, _ := strconv.ParseInt(r.tag[strings.LastIndexByte(r.tag, ' ')+1:], 10, 64) // none is 0
	return driver.RowsAffected(n)
}

// step reads one message.
func (r *textRows) step() error {
	kind, err := r.message()
	if err != nil {
		return err
	}
	body := fields{b: r.body}
	switch kind {
	case 'D':
		r.row = r.body
	case 'T':
		r.names, r.types = body.columns()
	case 't':
		r.params = int(body.int16())
	case 'C':
		r.tag = body.text()
	case 'E':
		failed := body.failure()
		if r.err == nil {
			r.err = failed
		}
		if severity := failed.Field('V'); severity == "FATAL" || severity == "PANIC" {
			r.c.broken.Store(true)
			r.done = true
		}
	case 'Z':
		r.done = true
		if r.r.Buffered() > 0 { // pgdriver would never see what follows
			r.c.broken.Store(true)
		}
	case '1', '2', 'n', 'I', 'N', 'S', 'A':
	default:
		return fmt.Errorf("pgconn: the server sent an unexpected message of type %q", kind)
	}
	if body.short {
		return errors.New("pgconn: the server sent a message that ends too early")
	}
	return nil
}

// maxMessage is the longest message that PostgreSQL sends.
const maxMessage = 1 << 30

func (r *textRows) message() (kind byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return 0, noEOF(err)
	}
	n := int64(uint32(head[1])<<24|uint32(head[2])<<16|uint32(head[3])<<8|uint32(head[4])) - 4
	if n < 0 || n > maxMessage {
		return 0, fmt.Errorf("pgconn: the server sent a message of %d bytes", n)
	}
	if int64(cap(r.body)) < n {
		r.body = make([]byte, n)
	}
	r.body = r.body[:n]
	_, err = io.ReadFull(r.r, r.body)
	return head[0], noEOF(err)
}

// noEOF: an answer that ends in the middle is not the end of the rows.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// split reads a data row.
func split(row []byte, dest []driver.Value) error {
	f := fields{b: row}
	if n := int(f.int16()); n != len(dest) {
		return fmt.Errorf("pgconn: a row has %d values for %d columns", n, len(dest))
	}
	for i := range dest {
		n := int32(f.int32())
		if n < 0 {
			dest[i] = nil
			continue
		}
		dest[i] = string(f.take(int(n)))
	}
	if f.short {
		return errors.New("pgconn: the server sent a row that ends too early")
	}
	return nil
}

// bytea is the text of bytes.
func bytea(data []byte) string { return `\x` + hex.EncodeToString(data) }
