package ledger

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// Filter chooses jobs. Zero fields choose all.
type Filter struct {
	States        []job.State
	Kinds         []string
	Queues        []string
	Tag           string
	Schedule      string
	CreatedAfter  time.Time
	CreatedBefore time.Time
	// Query is the beginning of an id, or words that must all occur in the
	// tags or the error's code or message, whatever the case of ASCII letters;
	// the text of a private error is not searched.
	Query     string
	Ascending bool   // oldest first; default youngest first
	Limit     int    // of one page; default 50
	Cursor    string // from an earlier page
	Payload   bool   // read args and result too
}

// Page is one page of a search.
type Page struct {
	Jobs []job.Job
	Next string // cursor of the next page; "" on the last
}

// Search lists jobs in the order of their ids, which is that of their creation
// to the millisecond. A page costs the same wherever it lies. A cursor that
// Search did not make answers job.ErrMalformedCursor.
func (l *Ledger) Search(ctx context.Context, f Filter) (Page, error) {
	if f.Limit <= 0 {
		f.Limit = 50
	}
	columns := metaColumns
	if f.Payload {
		columns = allColumns
	}
	q := l.read.NewSelect().ColumnExpr(columns).TableExpr("asyncops_jobs").Limit(int64(f.Limit) + 1)
	past, order := "id < ?", "id DESC"
	if f.Ascending {
		past, order = "id > ?", "id ASC"
	}
	q.OrderExpr(order)
	if f.Cursor != "" {
		after, err := readCursor(f.Cursor)
		if err != nil {
			return Page{}, l.wrap(err, "search")
		}
		q.Where(past, after)
	}
	if !f.searchable() {
		return Page{}, nil
	}
	l.narrow(q, f)
	var rows []row
	if err := q.Scan(ctx, &rows); err != nil {
		return Page{}, l.wrap(err, "search")
	}
	var page Page
	if len(rows) > f.Limit {
		rows = rows[:f.Limit]
		page.Next = cursor(rows[f.Limit-1].ID)
	}
	jobs, err := l.explained(ctx, rows)
	page.Jobs = jobs
	return page, l.wrap(err, "search")
}

// idSlack is how far an id's millisecond may lie from its job's created_at.
const idSlack = time.Minute

func (l *Ledger) narrow(q *bun.SelectQuery, f Filter) {
	if len(f.States) > 0 {
		q.Where("state IN (?)", bun.List(f.States))
		if !slices.Contains(f.States, job.Completed) {
			q.Where("state <> 'completed'") // the words of the index
		}
	}
	if len(f.Kinds) > 0 {
		q.Where("kind IN (?)", bun.List(f.Kinds))
	}
	if len(f.Queues) > 0 {
		q.Where("queue IN (?)", bun.List(f.Queues))
	}
	if f.Tag != "" {
		q.Where("tags IS NOT NULL AND "+l.dialect.hasTag, f.Tag)
	}
	if f.Schedule != "" {
		q.Where("schedule IS NOT NULL AND schedule = ?", f.Schedule)
	}
	if !f.CreatedAfter.IsZero() {
		q.Where("id >= ? AND created_at > ?", job.IDBound(f.CreatedAfter.Add(-idSlack)), microsOf(f.CreatedAfter))
	}
	if !f.CreatedBefore.IsZero() {
		q.Where("id < ? AND created_at < ?", job.IDBound(f.CreatedBefore.Add(idSlack)), microsOf(f.CreatedBefore))
	}
	if low, high, ok := idRange(f.Query); ok {
		q.Where("id BETWEEN ? AND ?", low, high)
		return
	}
	for _, word := range strings.Fields(f.Query) {
		q.WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
			contains := func(column, word string) { // column is a fragment of ours
				pattern := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(word) + "%"
				q.WhereOr(fmt.Sprintf(`%s %s ? ESCAPE '\'`, column, l.dialect.contains), pattern)
			}
			contains("tags", quoted(word))
			contains("error_code", word)
			// Text of an upstream or a database is not for everybody to guess at.
			contains("NOT error_private AND error_message", word)
			return q
		})
	}
}

// quoted is the word as it stands inside a JSON string.
func quoted(word string) string {
	text, err := jsonText(word)
	if err != nil {
		return word // a string can be written as JSON
	}
	return text[1 : len(text)-1]
}

// searchable reports whether any job could match: what cannot be stored is
// not there.
func (f *Filter) searchable() bool {
	return isStorable(f.Tag) && isStorable(f.Schedule) && isStorable(f.Query) && isStorable(strings.Join(f.Kinds, "")) && isStorable(strings.Join(f.Queues, ""))
}

// idRange is the first and last id that begin with s; false when no id does,
// or s is too short to be meant as one. Ids begin with the time, and so with 0
// for the next centuries: words such as "dead" are none.
func idRange(s string) (low, high job.ID, ok bool) {
	const shape = "00000000-0000-0000-0000-000000000000"
	if len(s) < 4 || len(s) > len(shape) || s[0] != '0' {
		return "", "", false
	}
	low, err := job.ParseID(s + shape[len(s):])
	if err != nil {
		return "", "", false
	}
	high, err = job.ParseID(s + strings.ReplaceAll(shape, "0", "f")[len(s):])
	return low, high, err == nil
}

// A cursor is the id of the last job of a page, in another dress, so that
// nobody takes it for one.
func cursor(last job.ID) string {
	return base64.RawURLEncoding.EncodeToString([]byte("1:" + last))
}

func readCursor(s string) (job.ID, error) {
	text, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return "", job.ErrMalformedCursor
	}
	last, ok := strings.CutPrefix(string(text), "1:")
	if !ok {
		return "", job.ErrMalformedCursor
	}
	id, err := job.ParseID(last)
	if err != nil {
		return "", job.ErrMalformedCursor
	}
	return id, nil
}
