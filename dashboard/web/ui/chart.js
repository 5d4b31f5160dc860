// Charts over time. Colours come from the style sheet, so that they follow the
// theme; the same figures stand beside each chart as text.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { html } from "../html.js";
import { theme } from "../theme-choice.js";

/**
 * @typedef {object} Series
 * @property {string} label
 * @property {string} color a custom property, such as --good
 * @property {(number | null)[]} values
 * @property {boolean} [fill]
 * @property {boolean} [dashed]
 */

/** What a custom property is as a colour. @param {Element} near @param {string} name */
function colorOf(near, name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  near.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

/** @param {string} color rgb(…) @param {number} alpha */
const faded = (color, alpha) => color.replace("rgb(", "rgba(").replace(")", `, ${alpha})`);

/** @param {ArrayLike<number | null | undefined>} values @param {number} i */
const alone = (values, i) => (values[i] ?? null) !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null;

/** Values between two that are not known: no line leads there, so they are dots. @param {uPlot} u @param {number} of */
const lone = (u, of) => [...u.data[of].keys()].filter((i) => alone(u.data[of], i));

/** Whether there is anything to measure. @param {uPlot} u */
const isFlat = (u) => u.data.slice(1).every((values) => !values.some((v) => v));

/**
 * @param {Element} near @param {Series[]} series @param {(value: number) => string} unit @param {number} width @param {number} height
 * @returns {uPlot.Options}
 */
function options(near, series, unit, width, height) {
  const ink = colorOf(near, "--muted");
  const line = colorOf(near, "--line");
  const font = `11px ${getComputedStyle(near).fontFamily}`;
  const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false }, gap: 6 };
  return {
    width, height, padding: [8, 18, 0, 0], legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false }, sync: { key: "time" } },
    scales: { x: { time: true }, y: { range: (_u, _low, high) => [0, high > 0 ? high * 1.12 : 1] } },
    axes: [
      { ...axis, size: 26, space: 70, values: times },
      { ...axis, size: 58, space: 28, values: (u, splits) => splits.map((v) => (v === 0 ? "0" : v === null || isFlat(u) ? "" : unit(v))) },
    ],
    series: [{}, ...series.map((s) => {
      const color = colorOf(near, s.color);
      return { label: s.label, stroke: color, width: 1.5, fill: s.fill ? faded(color, 0.16) : undefined, points: { show: false, size: 5, fill: color, filter: lone }, dash: s.dashed ? [4, 3] : undefined, spanGaps: true };
    })],
  };
}

const two = (/** @type {number} */ n) => String(n).padStart(2, "0");

/** Axis labels: the time of day, and the day where a new one begins. @param {uPlot} _u @param {number[]} splits */
function times(_u, splits) {
  let before = "";
  return splits.map((t) => {
    const d = new Date(t * 1000);
    const date = `${two(d.getDate())}.${two(d.getMonth() + 1)}.`;
    const time = `${two(d.getHours())}:${two(d.getMinutes())}${splits.length > 1 && splits[1] - splits[0] < 60 ? `:${two(d.getSeconds())}` : ""}`;
    const text = before && before !== date ? date : time;
    before = date;
    return text;
  });
}

/** @param {{title: string, times: number[], series: Series[], unit: (value: number) => string, height?: number}} props times in seconds */
export function Chart({ title, times: at, series, unit, height = 170 }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const plot = useRef(/** @type {uPlot | null} */ (null));
  const data = /** @type {uPlot.AlignedData} */ ([at, ...series.map((s) => s.values)]);
  const shape = series.map((s) => s.label).join();
  useEffect(() => {
    const home = /** @type {HTMLElement} */ (box.current);
    const made = new uPlot(options(home, series, unit, home.clientWidth, height), data, home);
    plot.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: home.clientWidth, height }));
    watch.observe(home);
    return () => { watch.disconnect(); made.destroy(); plot.current = null; };
  }, [theme.value, shape]);
  useEffect(() => { plot.current?.setData(data); });
  return html`
    <figure class="chart">
      <figcaption><h2>${title}</h2><ul class="keys">${series.map((s) => html`
        <li><i class=${s.dashed ? "dashed" : ""} style=${{ "--key": `var(${s.color})` }}></i>${s.label} <span class="strong">${unitOf(latest(s.values), unit)}</span></li>`)}</ul></figcaption>
      <div class="plot" ref=${box} style=${{ height: `${height}px` }} role="img" aria-label=${`${title}: ${series.map((s) => `${s.label} now ${unitOf(latest(s.values), unit)}`).join(", ")}`}></div>
    </figure>`;
}

/** @param {(number | null)[]} values */
const latest = (values) => values.findLast((v) => v !== null) ?? null;

/** @param {number | null} value @param {(value: number) => string} unit */
const unitOf = (value, unit) => (value === null ? "–" : unit(value));

/**
 * A line without axes, as wide as a word; nothing where a value is not known.
 * @param {{values: (number | null)[], label: string, least: number, color?: string}} props least: what fills its height at the least
 */
export function Spark({ values, label, least, color = "--info" }) {
  const high = Math.max(...values.map((v) => v ?? 0), least);
  const step = 100 / Math.max(1, values.length - 1);
  const at = (/** @type {number} */ v, /** @type {number} */ i) => `${(i * step).toFixed(1)},${(22 - 20 * (v / high)).toFixed(1)}`;
  const path = values.map((v, i) => (v === null ? "" : `${(values[i - 1] ?? null) === null ? "M" : "L"}${at(v, i)}${alone(values, i) ? "h0" : ""}`)).join("");
  return html`
    <svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label=${label}>
      <path d=${path} fill="none" stroke=${`var(${color})`} stroke-width="1.5" stroke-linejoin="round" stroke-linecap="round" vector-effect="non-scaling-stroke" /></svg>`;
}
