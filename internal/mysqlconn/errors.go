package mysqlconn

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Numbers of the server's errors that this package or its callers tell apart.
// MariaDB and MySQL agree on those below 1900.
const (
	CodeDuplicate       = 1062 // a unique key has the value already
	codeLockTimeout     = 1205
	codeDeadlock        = 1213
	codeUnknownVariable = 1193
	codeNoSuchThread    = 1094
	codeInterrupted     = 1317 // by KILL QUERY
)

// Code returns the number of the server's error in err's tree, or 0.
func Code(err error) int {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return int(e.Number)
	}
	return 0
}

// Message returns the server's own words for the error in err's tree, or "".
// They may quote values.
func Message(err error) string {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Message
	}
	return ""
}

// TooLarge reports whether a statement was not sent because it is larger than
// the server's max_allowed_packet.
func TooLarge(err error) bool { return errors.Is(err, mysql.ErrPktTooLarge) }

// Connecting reports whether err says that no connection could be made; its
// Code is what the server answered to the login, if it did.
func Connecting(err error) bool { return errors.As(err, new(*connectError)) }

// Unreachable reports whether err says that there is no connection, or that
// it was lost: nobody answers, the server stops or starts, the socket broke,
// there are too many connections. A statement that failed so may or may not
// have been carried out. It is false for a call that its own context ended.
func Unreachable(err error) bool {
	if err == nil || errors.As(err, new(*interruptedError)) {
		return false
	}
	if Connecting(err) {
		return true
	}
	switch code := Code(err); code {
	case 0:
	case 1040, 1203, 1226, // too many connections, of the server or the user
		1053, 1047, 1077, 1079, // the server or node stops or starts
		1152, 1158, 1159, 1160, 1161, 1184, // the network broke
		1927, 3169, 4031: // the session was ended
		return true
	default:
		return false
	}
	var netErr net.Error
	return errors.As(err, &netErr) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// Transient reports whether err says that the same transaction may succeed if
// it is run again: a deadlock, a lock that was not to be had, a row or table
// that changed meanwhile, a commit that the cluster refused.
func Transient(err error) bool {
	switch Code(err) {
	case codeLockTimeout, codeDeadlock, 1020, 1412, 1615, 1637, 3101, 3572:
		return true
	}
	return false
}

// ReadOnly reports whether err says that the server takes no writes, as during
// a failover.
func ReadOnly(err error) bool {
	switch Code(err) {
	case 1290, 1792, 1836:
		return true
	}
	return false
}

// ends reports whether a connection must not be used again after err: its
// transaction is not what the client takes it for, or another server may be
// the one to ask.
func ends(err error) bool { return Transient(err) || Unreachable(err) || ReadOnly(err) }

// connectError says that no connection could be made, for whatever reason.
type connectError struct{ err error }

func (e *connectError) Error() string { return "mysqlconn: connect: " + e.err.Error() }

func (e *connectError) Unwrap() error { return e.err }

// errKilled is the result of a statement that the server ended without saying
// so: a killed SLEEP, for one, succeeds.
var errKilled = errors.New("the statement was killed")

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
