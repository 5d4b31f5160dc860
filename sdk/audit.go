package sdk

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/asyncops/asyncops/job"
)

// AuditEntry says what somebody did.
type AuditEntry struct {
	ID        job.ID    `json:"id"`
	At        time.Time `json:"at"`
	Key       *AuditKey `json:"key"`     // nil where none is asked for
	Via       string    `json:"via"`     // key, session or open
	Address   string    `json:"address"` // of the caller
	Action    string    `json:"action"`  // such as queue.pause
	Target    string    `json:"target"`  // what it was done to; "" where there is no such thing
	Outcome   string    `json:"outcome"` // ok, or the code of the problem that was answered
	RequestID string    `json:"request_id"`
}

// AuditKey is the key by which somebody acted.
type AuditKey struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// AuditFilter chooses entries. Zero fields choose all.
type AuditFilter struct {
	Action   string // one, or a group of them, such as "queue."
	Key      string // its id
	Target   string
	After    time.Time
	Before   time.Time
	PageSize int // of one request, at most 200; default the server's 50
}

// AuditLog returns what operators did, the latest first, asking for further
// pages as they are needed. It ends after the first error.
func (c *Client) AuditLog(ctx context.Context, f AuditFilter) iter.Seq2[AuditEntry, error] {
	query := url.Values{}
	for name, value := range map[string]string{"action": f.Action, "key": f.Key, "target": f.Target} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for name, at := range map[string]time.Time{"after": f.After, "before": f.Before} {
		if !at.IsZero() {
			query.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	if f.PageSize > 0 {
		query.Set("limit", strconv.Itoa(f.PageSize))
	}
	return func(yield func(AuditEntry, error) bool) {
		query.Del("cursor") // of an earlier time
		for {
			var page struct {
				Items []AuditEntry `json:"items"`
				Next  string       `json:"next_cursor"`
			}
			if _, err := c.fetch(ctx, call{method: http.MethodGet, path: "/v1/audit", query: query, idempotent: true}, &page); err != nil {
				yield(AuditEntry{}, err)
				return
			}
			for _, e := range page.Items {
				if !yield(e, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			query.Set("cursor", page.Next)
		}
	}
}
