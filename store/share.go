package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/asyncops/asyncops/dbop"
)

// sharing writes the single-row inserts of concurrent jobs in common
// statements. Each is a statement of its own inside, WITH its effect's record:
//
//	WITH i0 AS (INSERT INTO t … RETURNING …), i1 AS (…)
//	INSERT INTO asyncops_effects … VALUES (…, (SELECT result FROM i0)), …
//
// A statement happens whole or not at all, so the records need no transaction
// around them, and there is nothing to read again at its end. Where the database
// objects to something, the group is halved until the insert it objects to
// stands alone; that one runs as every other write does, which also tells a
// second run of the same job.
//
// Neighbors must not wait for each other: its connections have a short
// lock_timeout, and tables whose inserts take long rest.
type sharing struct {
	target *Target
	pool   *sql.DB

	begin func() // starts a goroutine that writes
	stop  context.CancelFunc
	done  sync.WaitGroup // the goroutines that write

	mu      sync.Mutex
	waiting []*sharedInsert // guarded by mu
	writers int             // goroutines that write; guarded by mu
	tables  map[string]pace // of those that were slow; guarded by mu
	closed  bool            // guarded by mu
}

// pace is how the inserts into a table have gone lately.
type pace struct {
	slow  int       // groups in a row that were
	until time.Time // when it has rested
}

// sharedInsert is one job's insert on its way through a group.
type sharedInsert struct {
	table  string
	sql    string // INSERT … RETURNING an expression for the result, AS result
	effect Effect

	result json.RawMessage // set before done is closed
	err    error           // set before done is closed
	alone  bool            // the group has not written it; set before done is closed
	done   chan struct{}   // closed by the group's writer
}

// Bounds of shared inserts.
const (
	shareWriters     = 2 // connections: one builds its statement while the other waits for the disk
	shareRows        = 64
	shareBytes       = 256 << 10
	shareLockTimeout = 250 * time.Millisecond
	shareTimeout     = time.Second          // statement_timeout of their connections
	shareSlow        = 5 * time.Millisecond // an insert, on average: such tables rest
	sharePatience    = 100 * time.Millisecond
	shareSlowGroups  = 3 // in a row
	shareRest        = 10 * time.Second
)

// newSharing returns nil where the dialect has no such statement.
func newSharing(t *Target) *sharing {
	if t.pools.share == nil {
		return nil
	}
	s := &sharing{target: t, pool: t.pools.share, tables: map[string]pace{}}
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.begin = stop, func() { s.done.Go(func() { s.write(ctx) }) }
	return s
}

// close returns when nothing writes any more.
func (s *sharing) close() {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.done.Wait()
}

// insert writes an insert with its effect's record. It reports false, and has
// done nothing, when the operation must run by itself.
func (s *sharing) insert(ctx context.Context, visible *table, op dbop.Operation, effect *Effect) (res *Result, ok bool, err error) {
	if s == nil || effect == nil || op.Op != dbop.InsertOne || len(op.Rows) != 1 || op.OnConflict != nil || len(op.Returning) > 0 {
		return nil, false, nil
	}
	result, ok := shareResult(visible)
	if !ok {
		return nil, false, nil
	}
	q := newBuilder(s.target.dialect)
	q.insert(visible, op, op.Rows, nil)
	q.raw(" RETURNING " + result + " AS result")
	text, err := q.sql()
	if err != nil {
		return nil, true, err
	}
	i := &sharedInsert{table: op.Table, sql: text, effect: *effect, done: make(chan struct{})}
	if !s.submit(i) {
		return nil, false, nil
	}
	select {
	case <-i.done:
	case <-ctx.Done(): // it may be written nevertheless: the record tells
		return nil, true, inDoubt(ctx.Err())
	}
	if i.alone || i.err != nil {
		return nil, !i.alone, i.err
	}
	return &Result{JSON: i.result, Rows: 1}, true, nil
}

// shareResult is the SQL of an insert's result, which says the same as
// insertOne; false where only insertOne can tell.
func shareResult(visible *table) (string, bool) {
	if len(visible.key) != 1 || visible.column(visible.key[0]) == nil {
		return `'{"id":null,"rows_affected":1}'`, true
	}
	id := newBuilder(newPostgres())
	id.name(visible.key[0])
	value := string(id.b)
	switch visible.column(visible.key[0]).class {
	case classInt:
		value += "::text"
	case classText, classOther:
		value = "to_json(" + value + "::text)::text"
	default:
		return "", false
	}
	return `'{"id":' || COALESCE(` + value + `, 'null') || ',"rows_affected":1}'`, true
}

// submit queues i, and reports false if it cannot go with others.
func (s *sharing) submit(i *sharedInsert) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || time.Now().Before(s.tables[i.table].until) {
		return false
	}
	s.waiting = append(s.waiting, i)
	if s.writers < shareWriters {
		s.writers++
		s.begin()
	}
	return true
}

// write writes groups until nothing waits.
func (s *sharing) write(ctx context.Context) {
	for {
		group := s.take()
		if len(group) == 0 {
			return
		}
		s.run(ctx, group)
		for _, i := range group {
			close(i.done)
		}
	}
}

// take removes the next group. When there is none the writer is none any more.
func (s *sharing) take() []*sharedInsert {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, bytes := 0, 0
	for n < min(len(s.waiting), shareRows) && (n == 0 || bytes+len(s.waiting[n].sql) <= shareBytes) {
		bytes += len(s.waiting[n].sql)
		n++
	}
	group := slices.Clone(s.waiting[:n])
	if s.waiting = slices.Delete(s.waiting, 0, n); n == 0 {
		s.writers--
	}
	return group
}

// run writes the group, in halves if the database objects.
func (s *sharing) run(ctx context.Context, group []*sharedInsert) {
	began := time.Now()
	err := s.commit(ctx, group)
	took := time.Since(began)
	slow := took > sharePatience && took > time.Duration(len(group))*shareSlow
	s.judge(group, slow, err != nil)
	switch {
	case err == nil:
	case s.target.lost(err): // none of them is better off without the others
		for _, i := range group {
			i.err = inDoubt(err)
		}
	case slow || len(group) == 1:
		for _, i := range group {
			i.alone = true
		}
	default:
		s.run(ctx, group[:len(group)/2])
		s.run(ctx, group[len(group)/2:])
	}
}

// judge lets tables rest whose inserts hold others up: at once if the group has
// waited in vain, else when it is not the first time.
func (s *sharing) judge(group []*sharedInsert, slow, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slow && len(s.tables) == 0 {
		return
	}
	judged := map[string]bool{}
	for _, i := range group {
		p, known := s.tables[i.table]
		switch {
		case judged[i.table]:
		case !slow && known && !failed:
			delete(s.tables, i.table)
		case slow:
			if p.slow++; failed || p.slow >= shareSlowGroups {
				p = pace{until: time.Now().Add(shareRest)}
			}
			s.tables[i.table] = p
		}
		judged[i.table] = true
	}
}

// commit is one statement for the group.
func (s *sharing) commit(ctx context.Context, group []*sharedInsert) error {
	text, err := s.statement(group)
	if err != nil {
		return err
	}
	byEffect := make(map[string]*sharedInsert, len(group))
	for _, i := range group {
		byEffect[string(i.effect.Job)+"."+strconv.Itoa(i.effect.Generation)] = i
	}
	written := 0
	err = s.target.fetch(ctx, s.pool, text, 2, func(row []any) {
		if i := byEffect[asText(row[0])]; i != nil {
			i.result = json.RawMessage(asText(row[1]))
			written++
		}
	})
	if err == nil && written != len(group) {
		err = fmt.Errorf("store: %d effects of %d inserts were recorded", written, len(group))
	}
	return err
}

// statement returns the SQL of a group. A row that a trigger has swallowed has
// no result.
func (s *sharing) statement(group []*sharedInsert) (string, error) {
	var with, values strings.Builder
	for n, i := range group {
		id, err := s.target.quoted(string(i.effect.Job))
		if err != nil {
			return "", err
		}
		if n > 0 {
			with.WriteString(", ")
			values.WriteString(", ")
		}
		fmt.Fprintf(&with, "i%d AS (%s)", n, i.sql)
		fmt.Fprintf(&values, `(%s, %d, '%s', COALESCE((SELECT result FROM i%d), '{"id":null,"rows_affected":0}'))`,
			id, i.effect.Generation, outcomeDone, n)
	}
	return "WITH " + with.String() + " INSERT INTO asyncops_effects (job_id, generation, outcome, result) VALUES " + values.String() +
		" RETURNING job_id || '.' || generation, result", nil
}
