package ledger

import (
	"slices"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"
)

// insertArrays passes each column as one array, which PostgreSQL reads and plans
// much faster than as many rows of values.
func insertArrays(rows []insertRow) schema.QueryAppender {
	const columns = `created_at, deadline, expires_at, retention, max_attempts, kind, queue, state, delivery, run_once, owner,
		idempotency_key, doorbell, traceparent, tags, options, schedule, fire_at, args`
	return bun.SafeQuery(`INSERT INTO "asyncops_jobs" (id, run_at, rung_at, `+columns+`)
		SELECT id, CASE WHEN due THEN least(run_at, `+postgresNow+`) ELSE run_at END, CASE WHEN rung THEN `+postgresNow+` ELSE 0 END, `+columns+`
		FROM unnest(CAST(? AS uuid[]), CAST(? AS boolean[]), CAST(? AS bigint[]), CAST(? AS boolean[]), CAST(? AS bigint[]), CAST(? AS bigint[]),
			CAST(? AS bigint[]), CAST(? AS bigint[]), CAST(? AS integer[]), CAST(? AS text[]), CAST(? AS text[]), CAST(? AS text[]),
			CAST(? AS text[]), CAST(? AS boolean[]), CAST(? AS text[]), CAST(? AS text[]), CAST(? AS text[]), CAST(? AS text[]),
			CAST(? AS text[]), CAST(? AS text[]), CAST(? AS text[]), CAST(? AS bigint[]), CAST(? AS text[]))
		AS v (id, due, run_at, rung, `+columns+`)`,
		column(rows, func(r *insertRow) string { return string(r.ID) }),
		column(rows, func(r *insertRow) bool { return r.RunAt.sql != "" }),
		column(rows, func(r *insertRow) *micros { return orNull(r.RunAt.at) }), // least passes over NULL
		column(rows, func(r *insertRow) bool { return r.RungAt.sql != "" }),
		column(rows, func(r *insertRow) int64 { return int64(r.CreatedAt) }),
		sparse(rows, func(r *insertRow) *micros { return r.Deadline }),
		sparse(rows, func(r *insertRow) *micros { return r.ExpiresAt }),
		sparse(rows, func(r *insertRow) *int64 { return r.Retention }),
		column(rows, func(r *insertRow) int { return r.MaxAttempts }),
		column(rows, func(r *insertRow) string { return r.Kind }),
		column(rows, func(r *insertRow) string { return r.Queue }),
		column(rows, func(r *insertRow) string { return string(r.State) }),
		column(rows, func(r *insertRow) string { return string(r.Delivery) }),
		column(rows, func(r *insertRow) bool { return r.RunOnce }),
		column(rows, func(r *insertRow) string { return r.Owner }),
		sparse(rows, func(r *insertRow) *string { return r.Key }),
		sparse(rows, func(r *insertRow) *string { return r.Doorbell }),
		sparse(rows, func(r *insertRow) *string { return r.Traceparent }),
		sparse(rows, func(r *insertRow) *string { return r.Tags }),
		sparse(rows, func(r *insertRow) *string { return r.Options }),
		sparse(rows, func(r *insertRow) *string { return r.Schedule }),
		sparse(rows, func(r *insertRow) *micros { return r.FireAt }),
		column(rows, func(r *insertRow) string { return r.Args }),
	)
}

// column is the array of what all rows have.
func column[T any](rows []insertRow, of func(*insertRow) T) *pgdialect.ArrayValue {
	values := make([]T, len(rows))
	for i := range rows {
		values[i] = of(&rows[i])
	}
	return pgdialect.Array(values)
}

// sparse is the array of what few rows have: NULL if none has it, which is as
// much as NULL in each.
func sparse[T any](rows []insertRow, of func(*insertRow) *T) *pgdialect.ArrayValue {
	if !slices.ContainsFunc(rows, func(r insertRow) bool { return of(&r) != nil }) {
		return pgdialect.Array([]*T(nil))
	}
	return column(rows, of)
}
