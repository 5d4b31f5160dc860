package pgconn

import (
	"bytes"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"strconv"
)

// messages are what a statement sends, of the extended protocol
// (https://www.postgresql.org/docs/current/protocol-message-formats.html).
type messages struct{ b []byte }

// message appends one of a kind, with its length.
func (m *messages) message(kind byte, body func()) {
	m.b = append(m.b, kind)
	start := len(m.b)
	m.b = append(m.b, 0, 0, 0, 0)
	body()
	binary.BigEndian.PutUint32(m.b[start:], uint32(len(m.b)-start))
}

func (m *messages) int16(n int) { m.b = binary.BigEndian.AppendUint16(m.b, uint16(n)) }

func (m *messages) int32(n int) { m.b = binary.BigEndian.AppendUint32(m.b, uint32(int32(n))) }

func (m *messages) text(s string) { m.b = append(append(m.b, s...), 0) }

// parse makes query the unnamed statement. The server finds out the types of
// its parameters.
func (m *messages) parse(query string) {
	m.message('P', func() {
		m.text("")
		m.text(query)
		m.int16(0)
	})
}

// describe asks what the unnamed statement ('S') or portal ('P') is like.
func (m *messages) describe(what byte) {
	m.message('D', func() {
		m.b = append(m.b, what)
		m.text("")
	})
}

// bind gives the unnamed statement its values, as text, and asks for results as
// text.
func (m *messages) bind(args []driver.NamedValue) (err error) {
	m.message('B', func() {
		m.text("")
		m.text("")
		m.int16(0) // every value is text
		m.int16(len(args))
		for _, arg := range args {
			text, known := argText(arg.Value)
			switch {
			case !known:
				err = fmt.Errorf("pgconn: argument %d is a %T, which is not known", arg.Ordinal, arg.Value)
			case arg.Value == nil:
				m.int32(-1)
				continue
			}
			m.int32(len(text))
			m.b = append(m.b, text...)
		}
		m.int16(0) // every result is text
	})
	return err
}

func argText(value driver.Value) (text string, known bool) {
	switch value := value.(type) {
	case nil:
		return "", true
	case string:
		return value, true
	case []byte:
		return bytea(value), true
	case int64:
		return strconv.FormatInt(value, 10), true
	case float64:
		return strconv.FormatFloat(value, 'g', -1, 64), true
	case bool:
		return strconv.FormatBool(value), true
	}
	return "", false
}

func (m *messages) execute() {
	m.message('E', func() {
		m.text("")
		m.int32(0) // all rows
	})
}

func (m *messages) sync() { m.message('S', func() {}) }

// fields reads a message from its beginning.
type fields struct {
	b     []byte
	short bool // more was asked for than there is
}

func (f *fields) take(n int) []byte {
	if n < 0 || n > len(f.b) {
		f.short = true
		return nil
	}
	taken := f.b[:n]
	f.b = f.b[n:]
	return taken
}

func (f *fields) int16() uint16 {
	if b := f.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (f *fields) int32() uint32 {
	if b := f.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (f *fields) text() string {
	end := bytes.IndexByte(f.b, 0)
	if end < 0 {
		f.short = true
		return ""
	}
	text := string(f.b[:end])
	f.b = f.b[end+1:]
	return text
}

// columns reads the description of rows.
func (f *fields) columns() (names []string, types []uint32) {
	for range f.int16() {
		names = append(names, f.text())
		f.take(6) // table and column
		types = append(types, f.int32())
		f.take(8) // size, modifier, format
		if f.short {
			return nil, nil
		}
	}
	return names, types
}

// failure reads the server's error.
func (f *fields) failure() *serverError {
	e := &serverError{fields: map[byte]string{}}
	for !f.short {
		kind := f.take(1)
		if len(kind) == 0 || kind[0] == 0 {
			break
		}
		e.fields[kind[0]] = f.text()
	}
	return e
}

// serverError is the server's answer to a textStmt that failed.
type serverError struct{ fields map[byte]string }

// Field returns a part of the error, "" if the server has left it out.
func (e *serverError) Field(name byte) string { return e.fields[name] }

func (e *serverError) Error() string {
	return e.Field('S') + ": " + e.Field('M') + " (SQLSTATE=" + e.Field('C') + ")"
}
