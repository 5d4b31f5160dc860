// Numbers, times and sizes as people read them, always with their unit.

// The first format that a page makes takes a browser as long as all of its
// scripts, so it is made when a number needs it.
/** @param {Intl.NumberFormatOptions} options */
function lazily(options) {
  /** @type {Intl.NumberFormat | undefined} */
  let made;
  return (/** @type {number} */ n) => (made ??= new Intl.NumberFormat("en", options)).format(n);
}
const grouped = lazily({ maximumFractionDigits: 0 });
const compact = lazily({ notation: "compact", maximumFractionDigits: 1 });
const whole = (/** @type {number} */ n) => (Math.abs(n) < 999.5 ? String(Math.round(n)) : grouped(n));

/** A count in full: 12,345. @param {number | null | undefined} n */
export const count = (n) => (n === null || n === undefined ? "–" : whole(n));

/** A count where there is little room: 12.3K. @param {number | null | undefined} n */
export const brief = (n) => (n === null || n === undefined ? "–" : Math.abs(n) < 10_000 ? whole(n) : compact(n));

/** "1 job", "2 jobs". @param {number} n @param {string} one @param {string} [many] */
export const plural = (n, one, many = one + "s") => `${count(n)} ${n === 1 ? one : many}`;

/** A share, from 0 to 1: 99.95 %. Never rounds up to 100. @param {number | null | undefined} share */
export function percent(share) {
  if (share === null || share === undefined || Number.isNaN(share)) return "–";
  const value = share * 100;
  const digits = value > 99 && value < 100 ? 2 : value > 10 || value === 0 || value === 100 ? 1 : 2;
  const factor = 10 ** digits;
  return `${String(Math.floor(value * factor + 1e-9) / factor)} %`;
}

/** A length of time: 340 ms, 4.2 s, 3 m 20 s, 2 h 5 m, 3 d 4 h. @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
  const s = Math.max(0, seconds);
  if (s === 0) return "0 s";
  if (s < 0.001) return "<1 ms";
  if (s < 0.9995) return `${Math.round(s * 1000)} ms`;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  const r = Math.round(s);
  if (r < 60) return `${r} s`;
  if (r < 3600) return pair(Math.floor(r / 60), "m", r % 60, "s");
  if (r < 86400) return pair(Math.floor(r / 3600), "h", Math.floor((r % 3600) / 60), "m");
  return pair(Math.floor(r / 86400), "d", Math.floor((r % 86400) / 3600), "h");
}

/** @param {number} a @param {string} big @param {number} b @param {string} small */
const pair = (a, big, b, small) => (b ? `${a} ${big} ${b} ${small}` : `${a} ${big}`);

/** Time between two moments, in seconds. @param {string} from @param {string | number} to */
export const between = (from, to) => (new Date(to).getTime() - new Date(from).getTime()) / 1000;

/** "3 m ago", "in 20 s", "now". @param {string} time @param {number} now ms */
export function relative(time, now) {
  const seconds = (new Date(time).getTime() - now) / 1000;
  if (Math.abs(seconds) < 1) return "now";
  const length = coarse(Math.abs(seconds));
  return seconds > 0 ? `in ${length}` : `${length} ago`;
}

/** One unit is enough for a distance. @param {number} s */
function coarse(s) {
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m`;
  if (s < 86400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

/** A moment in the reader's own time zone, to the second. @param {string | number} time */
export function moment(time) {
  const d = new Date(time);
  return `${day(d)} ${clock(d)}`;
}

const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
/** @param {Date} d */
export const day = (d) => `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
/** @param {Date} d */
export const clock = (d) => `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;

/** "Mon 30 Nov 09:00", as one says when something will be. @param {string} time */
export function spoken(time) {
  const d = new Date(time);
  const date = d.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short" }).replace(",", "");
  return `${date} ${d.getSeconds() ? clock(d) : clock(d).slice(0, 5)}`;
}

/** @param {number | null | undefined} n */
export function bytes(n) {
  if (n === null || n === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  let value = n;
  for (; value >= 1024 && i < units.length - 1; i++) value /= 1024;
  return `${i && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[i]}`;
}

/** Jobs per second or per minute, whichever reads better. @param {number | null | undefined} perSecond */
export function rate(perSecond) {
  if (perSecond === null || perSecond === undefined) return "–";
  if (perSecond === 0) return "0 /min";
  if (perSecond >= 1) return `${perSecond < 100 ? perSecond.toFixed(1) : whole(perSecond)} /s`;
  const perMinute = perSecond * 60;
  return `${perMinute < 10 ? perMinute.toFixed(1) : whole(perMinute)} /min`;
}

/** The end of an id tells more than its beginning, which is the time. @param {string} id */
export const shortID = (id) => (id.length > 12 ? `${id.slice(0, 4)}…${id.slice(-6)}` : id);

/** The reader's time zone, in which moments are told. */
export const timeZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
