package job

import (
	"context"
	"time"
)

// AuditEntry says what somebody did.
type AuditEntry struct {
	ID        ID // in the order of time
	At        time.Time
	Key       string // id of the key; "" where none is asked for
	KeyName   string
	Via       string // key, session or open
	Address   string // of the caller
	Action    string // such as queue.pause
	Target    string // name or id of what it was done to; "" where there is no such thing
	Outcome   string // AuditOK, or the code of the problem that was answered
	RequestID string
}

// AuditOK is the Outcome of what was done.
const AuditOK = "ok"

// Audited is an act that is under way. Whoever changes the ledger for it writes
// the entry in the same transaction. It is not safe for concurrent use.
type Audited struct {
	AuditEntry

	Written bool // the entry is in the ledger
}

type auditKey struct{}

// WithAudit returns a context for the act.
func WithAudit(ctx context.Context, act *Audited) context.Context {
	return context.WithValue(ctx, auditKey{}, act)
}

// AuditOf returns the act that ctx is for; nil where there is none, or it is
// written.
func AuditOf(ctx context.Context) *Audited {
	act, _ := ctx.Value(auditKey{}).(*Audited)
	if act == nil || act.Written {
		return nil
	}
	return act
}

// AuditFilter chooses entries. Zero fields choose all.
type AuditFilter struct {
	Action string // one, or a group of them, such as "queue."
	Key    string
	Target string
	After  time.Time
	Before time.Time
	Limit  int    // of one page
	Cursor string // from an earlier page
}
