// Package dispatch moves jobs from the ledger to workers and runs them.
//
// A doorbell is an asynq task whose payload is the ids of jobs that may be due.
// It promises nothing: it may be lost, late or rung twice. A worker that takes
// one claims its jobs in the ledger, and the ledger decides. Where Redis is not
// used, workers claim straight from the ledger; both ways feed the same
// executor and pass the same suite (dispatchtest).
//
// Parts, each with a Run(ctx) that returns when ctx ends:
//
//   - Bell rings for newly accepted jobs, right after their commit.
//   - Relay rings for jobs that became due, and again for doorbells that were lost.
//   - Keeper reaps dead workers' jobs, ends lapsed ones and prunes history.
//   - Worker takes, runs and finishes jobs under a lease of its own.
//   - Bus carries hints between processes: wake up, stop this job, that one has
//     ended. Every hint may be lost; each reader polls the ledger as a net.
//
// This package keeps no state that matters: all of it may be killed at any
// moment. asynq's retries, archive, uniqueness, schedules, groups and results
// are not used, and its leases never cover a running job.
package dispatch
