// Cron expressions in words. What it does not know, it repeats as it stands:
// the next fires, which the server works out, tell the rest.

const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const descriptors = /** @type {Record<string, string>} */ ({
  "@hourly": "every hour", "@daily": "every day at 00:00", "@midnight": "every day at 00:00", "@weekly": "every Sunday at 00:00",
  "@monthly": "on day 1 of every month at 00:00", "@yearly": "on 1 January at 00:00", "@annually": "on 1 January at 00:00",
});

const two = (/** @type {string | number} */ n) => String(n).padStart(2, "0");
const isNumber = (/** @type {string} */ s) => /^\d+$/.test(s);
const isAny = (/** @type {string} */ s) => s === "*" || s === "?";

/** @param {string} cron */
export function inWords(cron) {
  const text = cron.trim().toLowerCase();
  if (descriptors[text]) return descriptors[text];
  if (text.startsWith("@every ")) return `every ${text.slice(7).replace(/([\d.]+)(ms|h|m|s)/g, "$1 $2 ").trim()}`;
  const fields = text.split(/\s+/);
  if (fields.length === 5) fields.unshift("0");
  if (fields.length !== 6) return cron;
  const [s, m, h, dom, mon, dow] = fields;
  const when = timeOf(s, m, h);
  const on = daysOf(dom, mon, dow);
  if (when === null || on === null) return cron;
  return on ? `${when}, ${on}` : when;
}

/** @param {string} s @param {string} m @param {string} h @returns {string | null} */
function timeOf(s, m, h) {
  const step = (/** @type {string} */ f) => /^(?:\*|0)\/(\d+)$/.exec(f)?.[1];
  const each = (/** @type {string} */ n, /** @type {string} */ unit) => (n === "1" ? `every ${unit}` : `every ${n} ${unit}s`);
  if (isAny(m) && isAny(h)) {
    if (isAny(s)) return "every second";
    if (step(s)) return each(/** @type {string} */ (step(s)), "second");
    return s === "0" ? "every minute" : isNumber(s) ? `every minute at second ${s}` : null;
  }
  if (!isNumber(s)) return null;
  const tail = s === "0" ? "" : `:${two(s)}`;
  if (step(m) && isAny(h)) return each(/** @type {string} */ (step(m)), "minute");
  if (step(m) && /^\d+-\d+$/.test(h)) return `${each(/** @type {string} */ (step(m)), "minute")} from ${two(h.split("-")[0])}:00 to ${two(h.split("-")[1])}:59`;
  if (!/^\d+(,\d+)*$/.test(m)) return null;
  if (isAny(h)) return m === "0" && !tail ? "every hour" : `every hour at ${m.split(",").map((x) => `:${two(x)}${tail}`).join(", ")}`;
  if (step(h)) return `${each(/** @type {string} */ (step(h)), "hour")} at :${m.split(",").map(two).join(", :")}${tail}`;
  if (!/^\d+(,\d+)*$/.test(h)) return null;
  const times = h.split(",").flatMap((hour) => m.split(",").map((minute) => `${two(hour)}:${two(minute)}${tail}`));
  return `at ${list(times)}`;
}

/** @param {string} dom @param {string} mon @param {string} dow @returns {string | null} "" is every day */
function daysOf(dom, mon, dow) {
  const parts = [];
  if (!isAny(dow)) {
    const names = namesOf(dow, days, 0);
    if (!names) return null;
    parts.push(`on ${names}`);
  }
  if (!isAny(dom)) {
    if (!/^[\d,-]+$/.test(dom)) return null;
    parts.push(`${parts.length ? "or " : ""}on day ${dom.replaceAll(",", ", ").replace("-", " to ")} of ${isAny(mon) ? "every month" : "the month"}`);
  }
  if (!isAny(mon)) {
    const names = namesOf(mon, months, 1);
    if (!names) return null;
    parts.push(`in ${names}`);
  }
  return parts.join(" ");
}

/** @param {string} field @param {string[]} names @param {number} first */
function namesOf(field, names, first) {
  const one = (/** @type {string} */ item) => {
    const i = isNumber(item) ? (Number(item) % (first ? 13 : 7)) - first : names.findIndex((n) => n.slice(0, 3).toLowerCase() === item);
    return names[i];
  };
  const parts = field.split(",").map((item) => {
    const [a, b, ...rest] = item.split("-");
    if (rest.length || !one(a) || (b !== undefined && !one(b))) return "";
    return b === undefined ? one(a) : `${one(a)} to ${one(b)}`;
  });
  return parts.includes("") ? "" : list(parts);
}

/** @param {string[]} items */
const list = (items) => (items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`);
