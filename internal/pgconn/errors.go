package pgconn

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

// Code returns the SQLSTATE of the server's error in err's tree, or "".
func Code(err error) string { return field(err, 'C') }

// Message returns the server's own words for the error in err's tree, or "".
// They may quote values.
func Message(err error) string { return field(err, 'M') }

// Constraint returns the name of the constraint that the error in err's tree
// is about, or "".
func Constraint(err error) string { return field(err, 'n') }

// Column returns the name of the column that the error in err's tree is
// about, or "". The server names it for few codes (23502 among them).
func Column(err error) string { return field(err, 'c') }

func field(err error, name byte) string {
	var e pgdriver.Error
	if errors.As(err, &e) {
		return e.Field(name)
	}
	var own *serverError
	if errors.As(err, &own) {
		return own.Field(name)
	}
	return ""
}

func isServerError(err error) bool {
	return errors.As(err, new(pgdriver.Error)) || errors.As(err, new(*serverError))
}

// Unreachable reports whether err says that there is no connection, or that
// it was lost: nobody answers, the server stops or starts, the socket broke,
// there are too many connections. A statement that failed so may or may not
// have been carried out. It is false for a call that its own context ended.
func Unreachable(err error) bool {
	if err == nil || errors.As(err, new(*interruptedError)) {
		return false
	}
	if errors.As(err, new(*connectError)) {
		return true
	}
	if code := Code(err); code != "" {
		switch code {
		case "57P01", "57P02", "57P03", "57P05", "53300":
			return true
		}
		return strings.HasPrefix(code, "08")
	}
	var netErr net.Error
	return errors.As(err, &netErr) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// Transient reports whether err says that the same transaction may succeed if
// it is run again: serialization failure, deadlock, lock not available.
func Transient(err error) bool {
	switch Code(err) {
	case "40001", "40P01", "55P03":
		return true
	}
	return false
}

// connectError says that no connection could be made, for whatever reason.
type connectError struct{ err error }

func (e *connectError) Error() string { return "pgconn: connect: " + e.err.Error() }

func (e *connectError) Unwrap() error { return e.err }

// interruptedError is the error of a call whose context was done.
type interruptedError struct {
	errs []error // ctx.Err(), its cause, and what the driver said
}

func (e *interruptedError) Error() string { return e.errs[1].Error() }

func (e *interruptedError) Unwrap() []error { return e.errs }

// interrupted returns err, joined with ctx's error and cause once ctx is done.
func interrupted(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		<-ctx.Done() // a socket's own timer may be a little early
	}
	if ctx.Err() == nil || errors.As(err, new(*interruptedError)) {
		return err
	}
	errs := []error{ctx.Err(), context.Cause(ctx)}
	if err := hideBadConn(err); err != nil {
		errs = append(errs, err)
	}
	return &interruptedError{errs}
}

// hideBadConn keeps database/sql from running a statement again because its
// context's end broke the connection.
func hideBadConn(err error) error {
	if errors.Is(err, driver.ErrBadConn) {
		return nil
	}
	return err
}
