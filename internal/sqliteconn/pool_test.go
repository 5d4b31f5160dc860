package sqliteconn_test

import (
	"context"
	"database/sql"
)

// poolOf reads single values from a pool.
type poolOf struct{ db *sql.DB }

func (p poolOf) scan(ctx context.Context, query string) (s string, err error) {
	err = p.db.QueryRowContext(ctx, query).Scan(&s)
	return s, err
}
