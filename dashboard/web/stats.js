// Figures over time, as GET /v1/stats gives them.

/**
 * @typedef {{count: number, p50: number | null, p95: number | null, p99: number | null}} Times
 *
 * @typedef {object} Counts
 * @property {number} submitted
 * @property {number} completed
 * @property {number} archived
 * @property {number} canceled
 * @property {number} expired
 * @property {number} unknown
 * @property {number} retried
 * @property {number} finished
 * @property {number} failed
 * @property {number | null} success_rate
 * @property {Times} wait
 * @property {Times} run
 *
 * @typedef {Counts & {at: string}} Point
 * @typedef {Counts & {name: string, pending: number, oldest_seconds: number, oldest_series: (number | null)[]}} QueueStats
 * @typedef {Counts & {name: string}} KindStats
 *
 * @typedef {object} Stats
 * @property {string} from
 * @property {string} to
 * @property {Point[]} series
 * @property {Counts & {submitted_per_second: number, finished_per_second: number, pending: number, oldest_seconds: number}} totals
 * @property {QueueStats[]} queues
 * @property {KindStats[]} kinds
 * @property {number | null} drift
 */

/** A span that has hardly begun says nothing yet. */
const leastSeconds = 10;

/**
 * The points of a series, with how many seconds of each are over.
 * @param {Stats} stats @returns {(Point & {time: number, seconds: number})[]}
 */
export function pointsOf({ series, to }) {
  const times = series.map((p) => new Date(p.at).getTime() / 1000);
  const end = new Date(to).getTime() / 1000;
  const now = Date.now() / 1000;
  return series
    .map((p, i) => ({ ...p, time: times[i], seconds: Math.min(now, times[i + 1] ?? end) - times[i] }))
    .filter((p, i) => i < series.length - 1 || p.seconds >= leastSeconds);
}

/** The most of numbers some of which are not known. @param {(number | null)[]} values @returns {number | null} */
export const most = (values) => values.reduce((high, v) => (v === null ? high : Math.max(high ?? 0, v)), /** @type {number | null} */ (null));
