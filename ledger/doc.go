// Package ledger is the durable record of every job: the truth that the queue
// only moves. It accepts submissions in groups, hands jobs to workers under an
// epoch and a lease, writes down how their runs ended, and answers what the
// API asks. It runs on PostgreSQL and on SQLite, with one conformance suite
// (ledgertest) for both.
//
// Three rules hold everywhere:
//
//   - Every decision is one statement or one transaction of the database; no
//     state that matters is kept in the process. Any number of processes may
//     use a ledger.
//   - Time is the database's. Rows hold microseconds since 1970 as integers, so
//     that both databases compare them alike (SQLite's clock ticks in
//     milliseconds); hosts' clocks are only used for created_at, the IDs made
//     with it, and times that callers name.
//   - A write about a run carries the run's epoch. Where the row's epoch has
//     moved on, nothing is written.
//
// The package knows nothing of kinds, queues' transport or targets.
package ledger
