// The states of a job, and how they are shown.

/** @typedef {{name: string, tone: string, hollow?: boolean, ended: boolean, means: string}} State */

/** @type {State[]} in the order of a job's life */
export const states = [
  { name: "waiting", tone: "later", hollow: true, ended: false, means: "until jobs before it have ended" },
  { name: "scheduled", tone: "later", ended: false, means: "its time has not come" },
  { name: "pending", tone: "calm", hollow: true, ended: false, means: "may start now" },
  { name: "active", tone: "info", ended: false, means: "a worker runs it" },
  { name: "retry", tone: "warn", ended: false, means: "failed, will be tried again" },
  { name: "parked", tone: "warn", hollow: true, ended: false, means: "may not run now" },
  { name: "completed", tone: "good", ended: true, means: "did what was asked" },
  { name: "archived", tone: "bad", ended: true, means: "failed for good: a dead letter" },
  { name: "canceled", tone: "calm", ended: true, means: "stopped by somebody" },
  { name: "expired", tone: "calm", hollow: true, ended: true, means: "had not started in time" },
  { name: "unknown", tone: "odd", ended: true, means: "nobody can tell whether it took effect: look, then decide" },
];

/** @param {string} name @returns {State} */
export const stateOf = (name) => states.find((s) => s.name === name) ?? { name, tone: "calm", ended: false, means: "" };

/** @param {string} name */
export const ended = (name) => stateOf(name).ended;

/** States that a retry leaves. */
export const revivable = new Set(["archived", "canceled", "expired", "unknown"]);

/** Why a job waits, in words. */
export const reasons = /** @type {Record<string, string>} */ ({
  dependency: "waits for jobs before it",
  scheduled: "its time has not come",
  backoff: "backs off after a failure",
  breaker: "the client's circuit breaker is open",
  rate_limit: "the client's rate limit has no room",
  max_in_flight: "its queue runs as many jobs as it may",
  pool: "its database runs as many jobs as it may",
  ordering: "an earlier job with the same ordering key has not ended",
  queue_paused: "its queue is paused",
  no_worker: "no worker serves its queue",
  backlog: "other jobs are before it",
  sealing: "makes sure that an earlier run can no longer take effect",
  isolation: "it has crashed a worker, and is run on its own",
});
