package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// QueryCache says what a target keeps of what reads find.
type QueryCache struct {
	In      *cache.Cache  // nil keeps nothing: reads that ask for the cache read the database
	TTL     time.Duration // of reads that name none; default 1h
	MaxRows int           // results with more rows are not kept; default 1000
}

// CacheSpace is the name of a database's entries in the cache.
func CacheSpace(database string) string { return "database:" + database }

// Cached says that a read may be answered from the cache.
type Cached struct {
	// Key is a name under which InvalidateCache finds the result; "" for none. It
	// does not make two different reads one: each has a result of its own.
	Key string
	TTL time.Duration // zero means the target's
}

// RunCached is Run for a read that the cache may answer. It is never answered
// with what was there before a write that had returned when it was called, be it
// of this process or another that shares the cache; what changes the database
// past them all it sees once the TTL is over, or after InvalidateCache.
func (t *Target) RunCached(ctx context.Context, op dbop.Operation, c Cached) (*Result, error) {
	if t.space == nil || op.Writes() {
		return t.Run(ctx, op, nil)
	}
	res, _, err := t.cached(ctx, op, c, t.space.Get)
	return res, err
}

// Warm has the cache hold what RunCached would find, for at least half of its
// TTL, and reports whether it held that already. Until what was read is there,
// reads take what was kept before. The error, a *job.Failure, may be that the
// cache is away, or that it does not keep the result.
func (t *Target) Warm(ctx context.Context, op dbop.Operation, c Cached) (fresh bool, err error) {
	if t.space == nil || op.Writes() {
		return false, job.Permanent(job.CodeNotKept, "nothing of database %s is kept; see cache.enabled", t.cfg.Name)
	}
	res, answer, err := t.cached(ctx, op, c, func(ctx context.Context, e cache.Entry, load cache.Load) (cache.Answer, error) {
		return t.space.Warm(ctx, e, cache.Ahead(t.ttl(c)), load)
	})
	switch {
	case err != nil:
		return false, err
	case answer.Kept():
		return answer.Cached(), nil
	case answer.Result == cache.Bypass:
		return false, job.Retryable(job.CodeCacheAway, "the cache is away: Redis does not answer")
	case res.Rows > int64(t.cfg.Cache.MaxRows):
		return false, job.Permanent(job.CodeNotKept, "%d rows are more than cache.max_rows, %d, and are not kept", res.Rows, t.cfg.Cache.MaxRows)
	}
	return false, job.Permanent(job.CodeNotKept, "the result is too large to be kept; see cache.max_bytes")
}

func (t *Target) ttl(c Cached) time.Duration {
	if c.TTL == 0 {
		return t.cfg.Cache.TTL
	}
	return c.TTL
}

// cached answers a read by what ask says of its entry.
func (t *Target) cached(
	ctx context.Context, op dbop.Operation, c Cached, ask func(context.Context, cache.Entry, cache.Load) (cache.Answer, error),
) (*Result, cache.Answer, error) {
	if err := t.registry.failure(op); err != nil {
		return nil, cache.Answer{}, err
	}
	entry, err := t.entry(ctx, op, c)
	if err != nil {
		return nil, cache.Answer{}, t.failure(ctx, op.Op, err)
	}
	var read *Result // by this call
	answer, err := ask(ctx, entry, func(ctx context.Context, _ []byte) (cache.Value, error) {
		var err error
		if read, err = t.Run(ctx, op, nil); err != nil {
			return cache.Value{}, err
		}
		return cache.Value{Data: pack(read), TTL: t.life(read, t.ttl(c))}, nil
	})
	switch {
	case err != nil:
		return nil, answer, t.failure(ctx, op.Op, err)
	case answer.Cached() || read == nil:
		read, err = unpack(answer.Data)
	}
	return read, answer, err
}

// entry is where the result of a read is kept. The statement's whole text, with
// its values and the columns that jobs may see, tells it from every other.
func (t *Target) entry(ctx context.Context, op dbop.Operation, c Cached) (cache.Entry, error) {
	text, tag, err := t.cachedAs(ctx, op)
	if err != nil {
		return cache.Entry{}, err
	}
	return cache.Entry{ID: string(op.Op) + "\n" + strconv.Quote(c.Key) + "\n" + text, Key: c.Key, Tags: []string{tag, everything}}, nil
}

// cachedAs is what tells the read from all others, and what its result depends
// on.
func (t *Target) cachedAs(ctx context.Context, op dbop.Operation) (text, tag string, err error) {
	if op.Op == dbop.Query {
		args, err := json.Marshal(op.Args)
		return fmt.Sprintf("%d %s\n%s", op.Limit, args, t.registry.queries[op.Query].text), anyTable, err
	}
	var described *table
	err = t.retry(ctx, []string{op.Table}, func() (err error) {
		described, err = t.catalog.last(ctx, op.Table)
		return err
	})
	if err != nil {
		return "", "", err
	}
	allowed, _ := t.registry.lookUp(op.Table)
	q := newBuilder(t.dialect)
	q.selectRows(described.only(allowed.Columns), op)
	text, err = q.sql()
	return text, tagOf(described), err
}

const (
	// anyTable is the tag of results that any write to the database may change.
	anyTable = "*"
	// everything is a tag of all results: nobody knows what a write has changed.
	everything = "**"
)

// tagOf is what a result read from t depends on. What has no primary key may be
// a view, over any table.
func tagOf(t *table) string {
	if len(t.key) == 0 {
		return anyTable
	}
	return tableTag(t.name)
}

// tableTag is the same for all ways to write a table's name: with its schema or
// without, in whatever case, where the database does not tell them apart.
func tableTag(name string) string {
	_, name = splitTable(name)
	return strings.ToLower(name)
}

// life is how long a result is kept; that there is nothing, briefly.
func (t *Target) life(r *Result, ttl time.Duration) time.Duration {
	switch {
	case r.Rows > int64(t.cfg.Cache.MaxRows):
		return 0
	case r.Rows == 0:
		return cache.Briefly(ttl)
	}
	return ttl
}

// The end of a read's JSON.
const (
	readNow    = `"cached":false}`
	readBefore = `"cached":true}`
)

// pack makes bytes of a read: the number of rows, and its JSON as a later
// answer.
func pack(r *Result) []byte {
	data := binary.AppendUvarint(make([]byte, 0, len(r.JSON)+binary.MaxVarintLen64), uint64(r.Rows))
	return append(append(data, bytes.TrimSuffix(r.JSON, []byte(readNow))...), readBefore...)
}

var errNotPacked = errors.New("store: the cache holds something else than a result")

func unpack(data []byte) (*Result, error) {
	rows, n := binary.Uvarint(data)
	if n <= 0 {
		return nil, errNotPacked
	}
	return &Result{JSON: data[n:], Rows: int64(rows), Cached: true}, nil
}

// changed makes stale what the cache holds of the tables. A write calls it
// after its commit, and before anybody hears of its success. If Redis is away,
// all processes have stopped to trust the cache when it returns.
func (t *Target) changed(tables []string) {
	if t.space == nil || len(tables) == 0 {
		return
	}
	tags := tagsOf(tables)
	for _, name := range tables {
		if known := t.catalog.known(name); known == nil || len(known.key) == 0 {
			tags = []string{everything} // it may be a view, and the write one to any table
		}
	}
	_ = t.space.Invalidate(tags, nil) // the cache tells of Redis
}

func tagsOf(tables []string) []string {
	tags := make([]string, 0, len(tables)+1)
	for _, name := range tables {
		if name == AllTables {
			return []string{everything}
		}
		tags = append(tags, tableTag(name))
	}
	return append(tags, anyTable)
}

// InvalidateCache makes stale what the cache holds of the tables and under the
// keys. The error is cache.ErrAway: Redis is away, the processes that share it
// answer nothing from the cache, and hear of it when it is back.
func (t *Target) InvalidateCache(tables, keys []string) error {
	if t.space == nil {
		return nil
	}
	var tags []string
	if len(tables) > 0 {
		tags = tagsOf(tables)
	}
	return t.space.Invalidate(tags, keys)
}

// inDoubtError is an error after which a write may have happened.
type inDoubtError struct {
	err error
	// final says that nothing tells whether it has: there is no record of an
	// effect, so that trying again could do it twice.
	final bool
}

func (e *inDoubtError) Error() string { return e.err.Error() }

func (e *inDoubtError) Unwrap() error { return e.err }

func inDoubt(err error) error {
	if err == nil {
		return nil
	}
	return &inDoubtError{err: err}
}

// mayHaveHappened reports whether a write that ended with err changed something.
func mayHaveHappened(err error) bool {
	var doubt *inDoubtError
	return err == nil || errors.As(err, &doubt)
}
