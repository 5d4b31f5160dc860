// What the REST interface answers, as far as pages use it. openapi.json is the
// whole of it.

/**
 * @typedef {{code: string, message: string}} JobError
 * @typedef {{reason: string, detail: string, until: string | null}} WaitingOn
 * @typedef {{done: number, total: number | null, message: string}} Progress
 *
 * @typedef {object} JobItem
 * @property {string} id
 * @property {string} kind
 * @property {string} queue
 * @property {string} state
 * @property {any} [args]
 * @property {any} [result]
 * @property {JobError | null} error
 * @property {number} attempt
 * @property {number} max_attempts
 * @property {number} crashes
 * @property {number} generation
 * @property {string} delivery
 * @property {string[]} tags
 * @property {string} created_at
 * @property {string} run_at
 * @property {string | null} started_at
 * @property {string | null} finished_at
 * @property {WaitingOn | null} waiting_on
 * @property {Progress | null} progress
 * @property {string | null} workflow
 * @property {string | null} schedule
 * @property {Record<string, string>} links
 *
 * @typedef {{items: JobItem[], next_cursor: string | null}} JobPage
 *
 * @typedef {object} Attempt
 * @property {number} number
 * @property {number} generation
 * @property {string} worker
 * @property {string} started_at
 * @property {string | null} finished_at
 * @property {string} outcome
 * @property {JobError | null} error
 * @property {any} summary
 * @property {import("./json.js").Node} [node] the summary as it was sent
 *
 * @typedef {{id: string, host: string, pid: number, status: string, concurrency: number, queues: Record<string, number>, strict: boolean, started_at: string, active: number}} RedisServer
 * @typedef {{date: string, processed: number, failed: number}} RedisDay
 * @typedef {{pending: number, active: number, leases: number, memory_bytes: number, processed: number, failed: number, days: RedisDay[], servers: RedisServer[]}} Doorbells
 * @typedef {{id: string, state: string, rings_for: number, jobs: {id: string, kind: string, state: string}[]}} Doorbell
 *
 * @typedef {object} QueueItem
 * @property {string} name
 * @property {boolean} paused
 * @property {number | null} weight
 * @property {Record<string, number>} counts
 * @property {number} oldest_seconds
 * @property {{finished_last_minute: number}} throughput
 * @property {Doorbells | null} redis
 *
 * @typedef {object} ScheduleItem
 * @property {string} name
 * @property {"config" | "api"} source
 * @property {string} cron
 * @property {string} timezone
 * @property {any} job
 * @property {string} missed
 * @property {string} overlap
 * @property {string} jitter
 * @property {string | null} start
 * @property {string | null} end
 * @property {boolean} paused
 * @property {string[]} next_fires
 * @property {string | null} last_fire
 * @property {string | null} last_job
 * @property {string} created_at
 * @property {string} updated_at
 *
 * @typedef {{status: string, detail: string, latency_ms: number | null, checked_at: string | null, effects?: string}} Health
 * @typedef {{in_use: number, idle: number, max: number}} Pool
 * @typedef {{in_use: number, idle: number, max: number, waiting: number, waits: number, wait_seconds: number}} PoolUse
 *
 * @typedef {object} DatabaseItem
 * @property {string} name
 * @property {string} driver
 * @property {string} delivery
 * @property {Health} health
 * @property {PoolUse & {workers: ({worker: string} & PoolUse)[]}} pool
 * @property {number} parked
 * @property {{hits: number, misses: number}} cache
 *
 * @typedef {object} ClientItem
 * @property {string} name
 * @property {Health} health
 * @property {Pool | null} pool
 * @property {{state: string, failures: number, open_until: string | null} | null} breaker
 * @property {{requests: number, per: string, burst: number, available: number | null} | null} rate_limit
 * @property {string | null} paused_until
 * @property {number} parked
 * @property {{hits: number, misses: number}} [cache]
 *
 * @typedef {object} WorkerItem
 * @property {string} id
 * @property {string} host
 * @property {number} pid
 * @property {string} version
 * @property {string} state
 * @property {string[]} queues
 * @property {number} concurrency
 * @property {number} running
 * @property {string} started_at
 * @property {string} beat_at
 * @property {Record<string, PoolUse>} databases
 * @property {{id: string, kind: string, queue: string, since: string}[]} jobs
 *
 * @typedef {{name: string, description: string, effect: string, args: any, result: any}} KindItem
 */

export {};
