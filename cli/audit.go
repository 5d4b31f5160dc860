package cli

import (
	"context"
	"time"

	"github.com/asyncops/asyncops/sdk"
)

// Run lists what operators did.
func (c *auditCmd) Run(ctx context.Context, s *session) error {
	f, err := c.filter(time.Now())
	if err != nil {
		return err
	}
	client, err := s.connect()
	if err != nil {
		return err
	}
	entries := []sdk.AuditEntry{}
	for e, err := range client.AuditLog(ctx, f) {
		if err != nil {
			return err
		}
		entries = append(entries, e)
		if len(entries) == c.Limit {
			break
		}
	}
	return s.print(entries, []string{"TIME", "KEY", "VIA", "ADDRESS", "ACTION", "TARGET", "OUTCOME"}, func() [][]string {
		rows := make([][]string, len(entries))
		for i, e := range entries {
			key := "none"
			if e.Key != nil {
				key = e.Key.Name
			}
			rows[i] = []string{moment(e.At), key, e.Via, e.Address, e.Action, e.Target, e.Outcome}
		}
		return rows
	})
}

func (c *auditCmd) filter(now time.Time) (sdk.AuditFilter, error) {
	f := sdk.AuditFilter{Action: c.Action, Key: c.Key, Target: c.Target, After: c.After, Before: c.Before, PageSize: c.Limit}
	switch {
	case c.Limit < 0:
		return f, usage("--limit: must not be negative")
	case c.Since < 0:
		return f, usage("--since: must not be negative")
	case c.Since > 0 && !c.After.IsZero():
		return f, usage("--since and --after: give one of them")
	case c.Limit == 0 || c.Limit > maxPage:
		f.PageSize = maxPage
	}
	if c.Since > 0 {
		f.After = now.Add(-c.Since.Std())
	}
	return f, nil
}
