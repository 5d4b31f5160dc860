// Figures over time, as GET /v1/stats gives them.

/** @param {any} stats */
export function pointsOf(stats) {
  const points = /** @type {any[]} */ (stats?.points ?? []);
  return {
    times: points.map((/** @type {any} */ p) => new Date(p.at).getTime() / 1000),
    queue: (/** @type {string} */ _name, /** @type {string} */ _what) => points.map(() => /** @type {number | null} */ (null)),
  };
}
