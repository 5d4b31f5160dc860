package store

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"golang.org/x/time/rate"
)

// Lines about slow operations that a target may write, so that one which has
// become slow as a whole does not flood the log.
const (
	slowLinesPerSecond = 1
	slowLinesAtOnce    = 10
	maxSlowSQL         = 2000 // bytes of a statement in the log
)

// slowLog writes about slow operations, within limits.
type slowLog struct {
	log   *slog.Logger
	limit *rate.Limiter

	mu      sync.Mutex
	leftOut int // lines since the last that was written; guarded by mu
}

func newSlowLog(log *slog.Logger) *slowLog {
	return &slowLog{log: log, limit: rate.NewLimiter(slowLinesPerSecond, slowLinesAtOnce)}
}

// add writes a line, or counts one that is left out. line is called only for
// one that is written.
func (l *slowLog) add(line func() []slog.Attr) {
	if !l.limit.Allow() {
		l.mu.Lock()
		l.leftOut++
		l.mu.Unlock()
		return
	}
	attrs := line()
	if n := l.takeLeftOut(); n > 0 {
		attrs = append(attrs, slog.Int("left_out", n))
	}
	l.log.LogAttrs(context.Background(), slog.LevelWarn, "slow query", attrs...)
}

// flush tells of lines that were left out and that no other line has told of.
func (l *slowLog) flush() {
	if n := l.takeLeftOut(); n > 0 {
		l.log.Warn("slow queries were left out of the log", "left_out", n)
	}
}

func (l *slowLog) takeLeftOut() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.leftOut
	l.leftOut = 0
	return n
}

// jobKey is the key of a context's job.
type jobKey struct{}

// ForJob returns a context whose operations are logged as the job's.
func ForJob(ctx context.Context, id job.ID) context.Context {
	return context.WithValue(ctx, jobKey{}, id)
}

// ran is an operation that has ended, as it is observed.
type ran struct {
	op      dbop.Op
	subject slog.Attr // the table, or the name of a named statement
	rows    int64
	took    time.Duration
	err     error
	sql     func() string // with placeholders for values
}

// observe tells the observer of an operation, and the log of a slow one. No
// value of the job's is logged.
func (t *Target) observe(ctx context.Context, r ran) {
	t.observer.Query(t.cfg.Name, r.op, r.took, r.err != nil)
	if t.cfg.SlowQuery == Never || r.took < t.cfg.SlowQuery {
		return
	}
	t.observer.SlowQuery(t.cfg.Name, r.op)
	t.slow.add(func() []slog.Attr {
		attrs := []slog.Attr{
			slog.String("operation", string(r.op)), r.subject, slog.Duration("took", r.took.Round(time.Microsecond)), slog.Int64("rows", r.rows),
		}
		if id, ok := ctx.Value(jobKey{}).(job.ID); ok {
			attrs = append(attrs, slog.String("job", string(id)))
		}
		if r.err != nil {
			attrs = append(attrs, slog.String("failed", string(t.diagnose(r.err).code)))
		}
		return append(attrs, slog.String("sql", clipSQL(r.sql())))
	})
}

// clipSQL shortens a statement for the log.
func clipSQL(sql string) string {
	if len(sql) <= maxSlowSQL {
		return sql
	}
	end := maxSlowSQL
	for !utf8.RuneStart(sql[end]) {
		end--
	}
	return strings.Clone(sql[:end]) + "…"
}

// ran is what there is to observe of work that has ended.
func (w work) ran(res *Result, took time.Duration, err error) ran {
	r := ran{op: w.op, subject: slog.String("table", strings.Join(w.tables, ", ")), took: took, err: err}
	if w.query != "" {
		r.subject = slog.String("query", w.query)
	}
	if res != nil {
		r.rows = res.Rows
	}
	r.sql = func() string {
		text, err := w.explain()
		if err != nil {
			return "" // the operation was not allowed in the first place
		}
		return text
	}
	return r
}
