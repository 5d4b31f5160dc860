package tasks

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
)

// Task is a job's args, read and found right: one of *DB, *Transaction,
// *HTTP, *Batch, *Exchange, *Warm, *Health, *Noop and *Notify.
type Task interface {
	// Kind is the kind whose args were read.
	Kind() Kind
}

// DB is an operation on a database.
type DB struct {
	Database  string // as configured; never empty
	Operation dbop.Operation
	Cache     *Cache // of a read; nil reads the database
}

// Kind answers with db. and the operation.
func (t *DB) Kind() Kind { return Kind("db." + string(t.Operation.Op)) }

// HTTP is a call of an API.
type HTTP struct {
	Client  string // as configured; never empty
	Request httpop.Request
}

// Kind answers with HTTPRequest.
func (t *HTTP) Kind() Kind { return HTTPRequest }

// Noop does nothing, for a while, and may then fail.
type Noop struct {
	Sleep   time.Duration
	Fail    bool   // end in a retryable failure with job.CodeFailed
	Message string // of the failure; never empty with Fail
}

// Kind answers with SystemNoop.
func (t *Noop) Kind() Kind { return SystemNoop }

// Cache says that a result may be taken from the cache, and under which key it
// is kept there.
type Cache struct {
	Key string
	TTL time.Duration // zero means the target's
}

// Database is a configured database.
type Database struct {
	Name     string
	Registry Registry
}

// Registry knows what a database's configuration lets jobs touch.
type Registry interface {
	// Check answers with what it does not allow of an operation: its table, a
	// write, columns, the name of a statement. Pointers are relative to the args; all that is in the
	// where may be at "/where".
	Check(op dbop.Operation) []job.FieldError
	// Query describes a named statement; false if there is none of the name, which
	// Check then says, too.
	Query(name string) (dbop.NamedQuery, bool)
}

// Client is a configured upstream.
type Client struct {
	Name   string
	Policy httpop.Policy
}

// Targets are the databases and upstreams that are configured. A name is ""
// where args leave it out: it stands for the one that is configured, if it is
// the only one. All methods must be safe for concurrent use.
type Targets interface {
	Database(name string) (Database, bool)
	Client(name string) (Client, bool)
}

// Parse reads and checks a job's args. Its errors are *job.InvalidError with
// pointers into the submission ("/kind", "/args/where/status"), about every
// fault that was found (at most dbop.MaxErrors): ErrMalformed when some value
// has not the JSON form that the kind's args have, else ErrInvalid. Absent and
// null args are read as {}.
func Parse(kind string, args json.RawMessage, targets Targets) (Task, error) {
	return parse(find, kind, args, targets)
}

func parse(find func(string) (entry, bool), kind string, args json.RawMessage, targets Targets) (Task, error) {
	entry, ok := find(kind)
	if !ok {
		return nil, unknownKind(kind)
	}
	if len(args) == 0 {
		args = json.RawMessage("{}")
	}
	c := checker{targets: targets, kinds: find}
	task, err := entry.parse(&c, args)
	if err != nil {
		return nil, err
	}
	if invalid := invalid(c.Errors()); invalid != nil {
		return nil, invalid
	}
	return task, nil
}

// invalid makes one error of faults; those that make a request malformed leave
// the others out. It answers nil for none.
func invalid(faults []job.FieldError) *job.InvalidError {
	if len(faults) == 0 {
		return nil
	}
	var malformed []job.FieldError
	for _, fault := range faults {
		if strictjson.Malformed(fault.Code) {
			malformed = append(malformed, fault)
		}
	}
	if len(malformed) > 0 {
		return &job.InvalidError{Malformed: true, Fields: malformed}
	}
	return &job.InvalidError{Fields: faults}
}

func unknownKind(kind string) error {
	switch kind {
	case "":
		return job.Invalid("/kind", CodeRequired, "the kind is missing")
	case "system.action", "system.notify":
		return job.Invalid("/kind", CodeUnknownKind, "jobs of the kind %s are made by asyncops itself and cannot be submitted", kind)
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, string(entry.kind))
	}
	hint := strictjson.DidYouMean(kind, names)
	if hint == "" {
		hint = "; known are " + strings.Join(names, ", ")
	}
	return job.Invalid("/kind", CodeUnknownKind, "unknown kind %s%s", strictjson.Quote(kind), hint)
}
