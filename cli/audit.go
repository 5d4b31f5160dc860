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
	entries, err := firstOf(client.AuditLog(ctx, f), c.Limit)
	if err != nil {
		return err
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
	f := sdk.AuditFilter{Action: c.Action, Key: c.Key, Target: c.Target, Before: c.Before}
	var err error
	if f.PageSize, err = pageSize(c.Limit); err != nil {
		return f, err
	}
	f.After, err = beginning(c.Since, "--after", c.After, now)
	return f, err
}
