package tasks

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/duration"
	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
)

// Bounds of args, besides those of dbop and httpop.
const (
	MaxAffected    = 1_000_000           // of an update_many or delete_many
	MaxOffset      = 1_000_000_000       // of a select_many
	MaxCacheTTL    = 30 * 24 * time.Hour // of a cached result
	MaxCacheKey    = 255                 // bytes
	MaxExpect      = 100                 // statuses of an http.request
	MaxSleep       = time.Hour           // of a system.noop
	MaxFailMessage = 1024                // bytes
)

// Codes of job.FieldError for kinds and targets, besides those of dbop, httpop
// and strictjson.
const (
	CodeRequired        = dbop.CodeRequired
	CodeUnknownKind     = string(job.CodeUnknownKind)
	CodeUnknownDatabase = "unknown_database"
	CodeUnknownClient   = "unknown_client"
	CodeUnknownTarget   = "unknown_target"
	CodeAmbiguousTarget = "ambiguous_target"
)

// checker reads the args of one job and keeps what is wrong with them.
type checker struct {
	dbop.Parser
	targets Targets
	kinds   func(kind string) (entry, bool) // for kinds made of others; the table cannot name itself
}

// add takes faults that others found, whose pointers are relative to the args. One
// is enough of what stands at one place.
func (c *checker) add(faults []job.FieldError) {
	for _, fault := range faults {
		pointer := "/args" + fault.Pointer
		if !slices.ContainsFunc(c.Errors(), func(have job.FieldError) bool { return have.Pointer == pointer }) {
			c.Fail(pointer, fault.Code, "%s", fault.Message)
		}
	}
}

// database completes a task with its database and checks its operation, which
// must have been read, against what is configured there.
func (c *checker) database(name string, op dbop.Operation) *DB {
	task := &DB{Operation: op}
	named := c.Table(op.Table, "/args/table")
	target, ok := c.targets.Database(name)
	if !ok {
		c.unknownTarget("database", CodeUnknownDatabase, name)
		return task
	}
	task.Database = target.Name
	if named {
		op.Where = nil
		c.add(target.Registry.Check(op))
		c.whereColumns(target.Registry, op.Table)
	}
	return task
}

// whereColumns asks for the columns of the where as if they were to be read, so
// that each refusal can be put where the column stands.
func (c *checker) whereColumns(registry Registry, table string) {
	refs := c.Refs()
	if len(refs) == 0 {
		return
	}
	columns := make([]string, len(refs))
	for i, ref := range refs {
		columns[i] = ref.Column
	}
	for _, fault := range registry.Check(dbop.Operation{Op: dbop.SelectOne, Table: table, Columns: columns}) {
		var i int
		if _, err := fmt.Sscanf(fault.Pointer, "/columns/%d", &i); err == nil && i < len(refs) {
			c.Fail(refs[i].Pointer, fault.Code, "%s", fault.Message)
		}
	}
}

// unknownTarget says that a database or client is not configured.
func (c *checker) unknownTarget(what, code, name string) {
	if name == "" {
		c.Fail("/args/"+what, CodeRequired, "the %s is missing, and there is not exactly one to choose", what)
		return
	}
	c.Fail("/args/"+what, code, "no %s %s is configured", what, strictjson.Quote(name))
}

// excluding reads the where of an update or delete.
func (c *checker) excluding(where json.RawMessage) dbop.Cond {
	before := len(c.Errors())
	cond := c.Where(where, "/args/where")
	if len(c.Errors()) == before && dbop.CannotExclude(cond) {
		c.Fail("/args/where", dbop.CodeEmptyWhere, "the where cannot exclude any row; name a column and what it must be")
	}
	return cond
}

// number checks an optional integer and answers otherwise for none.
func (c *checker) number(n *int, pointer string, low, high, otherwise int) int {
	switch {
	case n == nil:
		return otherwise
	case *n < low || *n > high:
		c.Fail(pointer, strictjson.CodeOutOfRange, "want %d to %d", low, high)
	}
	return *n
}

// length reads an optional duration of at least low and at most high; "" is 0.
func (c *checker) length(text, pointer string, low, high time.Duration) time.Duration {
	if text == "" {
		return 0
	}
	d, err := duration.Parse(text)
	switch {
	case err != nil:
		c.Fail(pointer, strictjson.CodeInvalidValue, "not a duration; want one such as 250ms, 1h30m or PT5M")
	case d < low, d > high:
		c.Fail(pointer, strictjson.CodeOutOfRange, "want %s to %s", low, high)
	default:
		return d
	}
	return 0
}

// CacheArgs asks for a result to be kept in the cache.
type CacheArgs struct {
	Key string `json:"key"`
	TTL string `json:"ttl,omitempty"` // a duration; "" means the target's
}

func (c *checker) cache(args *CacheArgs) *Cache {
	if args == nil {
		return nil
	}
	switch {
	case args.Key == "":
		c.Fail("/args/cache/key", CodeRequired, "the key is missing")
	case len(args.Key) > MaxCacheKey:
		c.Fail("/args/cache/key", dbop.CodeTooLong, "the key has %d bytes; want at most %d", len(args.Key), MaxCacheKey)
	case strings.ContainsFunc(args.Key, func(r rune) bool { return r < ' ' || r == 0x7f }):
		c.Fail("/args/cache/key", strictjson.CodeInvalidValue, "the key holds control characters")
	}
	return &Cache{Key: args.Key, TTL: c.length(args.TTL, "/args/cache/ttl", time.Millisecond, MaxCacheTTL)}
}
