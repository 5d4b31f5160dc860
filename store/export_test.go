package store

import (
	"context"

	"github.com/asyncops/asyncops/dbop"
)

// SelectSQL returns the SQL of a select, with its values in it.
func (t *Target) SelectSQL(ctx context.Context, op dbop.Operation) (string, error) {
	visible, err := t.visible(ctx, op)
	if err != nil {
		return "", err
	}
	q := newBuilder(t.dialect)
	q.selectRows(visible, op)
	return q.sql()
}
