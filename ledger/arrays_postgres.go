package ledger

import (
	"slices"

	"github.com/asyncops/asyncops/internal/pgconn"
)

// Rows go to PostgreSQL as an array for each column: it reads and plans that much
// faster than as many rows of values, and the statement is the same for any
// number of them.

// insertValues inserts one row, whose args are its insertRow's.
const insertValues = `INSERT INTO asyncops_jobs (id, run_at, rung_at, ` + insertOthers + `)
	VALUES (?id, CASE WHEN ?due THEN least(?run_at, ` + postgresNow + `) ELSE ?run_at END, CASE WHEN ?rung THEN ` + postgresNow + ` ELSE 0 END,
		?created_at, ?deadline, ?expires_at, ?retention, ?max_attempts, ?kind, ?queue, ?state, ?delivery, ?run_once, ?owner,
		?key, ?doorbell, ?traceparent, ?tags, ?options, ?schedule, ?fire_at, ?args)`

// insertArrays inserts many rows.
const insertArrays = `INSERT INTO asyncops_jobs (id, run_at, rung_at, ` + insertOthers + `)
	SELECT id, CASE WHEN due THEN least(run_at, ` + postgresNow + `) ELSE run_at END, CASE WHEN rung THEN ` + postgresNow + ` ELSE 0 END, ` + insertOthers + `
	FROM unnest(CAST(?id AS uuid[]), CAST(?due AS boolean[]), CAST(?run_at AS bigint[]), CAST(?rung AS boolean[]), CAST(?created_at AS bigint[]),
		CAST(?deadline AS bigint[]), CAST(?expires_at AS bigint[]), CAST(?retention AS bigint[]), CAST(?max_attempts AS integer[]),
		CAST(?kind AS text[]), CAST(?queue AS text[]), CAST(?state AS text[]), CAST(?delivery AS text[]), CAST(?run_once AS boolean[]),
		CAST(?owner AS text[]), CAST(?key AS text[]), CAST(?doorbell AS text[]), CAST(?traceparent AS text[]), CAST(?tags AS text[]),
		CAST(?options AS text[]), CAST(?schedule AS text[]), CAST(?fire_at AS bigint[]), CAST(?args AS text[]))
	AS v (id, due, run_at, rung, ` + insertOthers + `)`

const insertOthers = `created_at, deadline, expires_at, retention, max_attempts, kind, queue, state, delivery, run_once, owner,
	idempotency_key, doorbell, traceparent, tags, options, schedule, fire_at, args`

// insertColumns are the arguments of insertArrays.
func insertColumns(rows []insertRow) named {
	return named{
		"id":           pgconn.Array(rows, func(r *insertRow) string { return string(r.ID) }),
		"due":          pgconn.Array(rows, func(r *insertRow) bool { return r.RunAt.clock }),
		"run_at":       pgconn.Array(rows, func(r *insertRow) int64 { return r.RunAt.latest() }),
		"rung":         pgconn.Array(rows, func(r *insertRow) bool { return r.RungAt.clock }),
		"created_at":   pgconn.Array(rows, func(r *insertRow) int64 { return int64(r.CreatedAt) }),
		"deadline":     sparse(rows, func(r *insertRow) *int64 { return (*int64)(r.Deadline) }),
		"expires_at":   sparse(rows, func(r *insertRow) *int64 { return (*int64)(r.ExpiresAt) }),
		"retention":    sparse(rows, func(r *insertRow) *int64 { return r.Retention }),
		"max_attempts": pgconn.Array(rows, func(r *insertRow) int { return r.MaxAttempts }),
		"kind":         pgconn.Array(rows, func(r *insertRow) string { return r.Kind }),
		"queue":        pgconn.Array(rows, func(r *insertRow) string { return r.Queue }),
		"state":        pgconn.Array(rows, func(r *insertRow) string { return string(r.State) }),
		"delivery":     pgconn.Array(rows, func(r *insertRow) string { return string(r.Delivery) }),
		"run_once":     pgconn.Array(rows, func(r *insertRow) bool { return r.RunOnce }),
		"owner":        pgconn.Array(rows, func(r *insertRow) string { return r.Owner }),
		"key":          sparse(rows, func(r *insertRow) *string { return r.Key }),
		"doorbell":     sparse(rows, func(r *insertRow) *string { return r.Doorbell }),
		"traceparent":  sparse(rows, func(r *insertRow) *string { return r.Traceparent }),
		"tags":         sparse(rows, func(r *insertRow) *string { return r.Tags }),
		"options":      sparse(rows, func(r *insertRow) *string { return r.Options }),
		"schedule":     sparse(rows, func(r *insertRow) *string { return r.Schedule }),
		"fire_at":      sparse(rows, func(r *insertRow) *int64 { return (*int64)(r.FireAt) }),
		"args":         pgconn.Array(rows, func(r *insertRow) string { return r.Args }),
	}
}

// insertKeyed inserts idempotency keys that are free, and the rows that have got
// theirs, or have none.
const insertKeyed = `WITH taken AS (INSERT INTO asyncops_idempotency (owner, key, job_id, fingerprint, created_at)
		SELECT * FROM unnest(CAST(?key_owner AS text[]), CAST(?key_name AS text[]), CAST(?key_job AS uuid[]),
			CAST(?key_fingerprint AS text[]), CAST(?key_created_at AS bigint[]))
		ON CONFLICT DO NOTHING RETURNING job_id),
	made AS (` + insertArrays + ` WHERE idempotency_key IS NULL OR id IN (SELECT job_id FROM taken) ON CONFLICT (id) DO NOTHING)
	SELECT job_id FROM taken`

// keyColumns are the arguments that insertKeyed has beside those of insertArrays.
func keyColumns(keys []keyRow) named {
	return named{
		"key_owner":       pgconn.Array(keys, func(r *keyRow) string { return r.Owner }),
		"key_name":        pgconn.Array(keys, func(r *keyRow) string { return r.Key }),
		"key_job":         pgconn.Array(keys, func(r *keyRow) string { return string(r.JobID) }),
		"key_fingerprint": pgconn.Array(keys, func(r *keyRow) string { return r.Fingerprint }),
		"key_created_at":  pgconn.Array(keys, func(r *keyRow) int64 { return int64(r.CreatedAt) }),
	}
}

// sparse is the array of what few rows have: NULL if none has it, which is as
// much as NULL in each.
func sparse[T any, E interface{ *int64 | *string }](rows []T, of func(*T) E) any {
	if !slices.ContainsFunc(rows, func(r T) bool { return of(&r) != nil }) {
		return nil
	}
	return pgconn.Array(rows, of)
}

// outcomeArrays is the query of a row for each outcome.
func outcomeArrays(parking bool) string {
	query := `SELECT * FROM unnest(CAST(?id AS uuid[]), CAST(?epoch AS bigint[]), CAST(?state AS text[]), CAST(?again AS boolean[]),
		CAST(?delay AS bigint[]), CAST(?result AS text[]), CAST(?code AS text[]), CAST(?message AS text[]), CAST(?private AS boolean[]),
		CAST(?summary AS text[]), CAST(?parked AS text[]), CAST(?verdict AS text[])`
	if parking {
		query += `, CAST(?parked_on AS text[]), CAST(?unrun AS boolean[])`
	}
	return query + ")"
}

// outcomeColumns are the arguments of outcomeArrays.
func outcomeColumns(outcomes []outcome, parking bool) named {
	args := named{
		"id":      pgconn.Array(outcomes, func(o *outcome) string { return string(o.id) }),
		"epoch":   pgconn.Array(outcomes, func(o *outcome) int64 { return o.epoch }),
		"state":   pgconn.Array(outcomes, func(o *outcome) string { return o.state }),
		"again":   pgconn.Array(outcomes, func(o *outcome) bool { return o.again }),
		"delay":   pgconn.Array(outcomes, func(o *outcome) int64 { return o.delay }),
		"result":  sparse(outcomes, func(o *outcome) *string { return o.result }),
		"code":    sparse(outcomes, func(o *outcome) *string { return o.code }),
		"message": sparse(outcomes, func(o *outcome) *string { return o.message }),
		"private": pgconn.Array(outcomes, func(o *outcome) bool { return o.private }),
		"summary": sparse(outcomes, func(o *outcome) *string { return o.summary }),
		"parked":  sparse(outcomes, func(o *outcome) *string { return o.parked }),
		"verdict": sparse(outcomes, func(o *outcome) *string { return o.verdict }),
	}
	if parking {
		args["parked_on"] = sparse(outcomes, func(o *outcome) *string { return o.parkedOn })
		args["unrun"] = pgconn.Array(outcomes, func(o *outcome) bool { return o.unrun })
	}
	return args
}
