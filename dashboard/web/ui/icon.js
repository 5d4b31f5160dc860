// Icons: drawn on a grid of 20, in the colour of the text beside them.
import { html } from "../html.js";

const shapes = /** @type {Record<string, string>} */ ({
  overview: "M3 17V9m5 8V3m5 14v-6m5 6V6",
  jobs: "M3 5h14M3 10h14M3 15h9",
  queues: "M3 4.5h14v3H3zM3 9.5h10v3H3zM3 14.5h6v2H3z",
  schedules: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zm0 3.5V10l2.5 2",
  targets: "M10 3c3.9 0 6 1 6 2.4S13.9 7.8 10 7.8 4 6.8 4 5.4 6.1 3 10 3zM4 5.4v9.2C4 16 6.1 17 10 17s6-1 6-2.4V5.4M4 10c0 1.4 2.1 2.4 6 2.4s6-1 6-2.4",
  workers: "M5 5h10v10H5zM8 8h4v4H8zM8 5V2.5M12 5V2.5M8 17.5V15M12 17.5V15M5 8H2.5M5 12H2.5M17.5 8H15M17.5 12H15",
  submit: "M10 4v12M4 10h12",
  audit: "M5 3h7l3 3v11H5zM8 9h4M8 12h4",
  more: "M4 10h.01M10 10h.01M16 10h.01",
  pause: "M7 4v12M13 4v12",
  play: "M6 4l10 6-10 6z",
  copy: "M7 7h9v9H7zM4 13V4h9",
  sun: "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1.1 1.1M14.6 14.6l1.1 1.1M4.3 15.7l1.1-1.1M14.6 5.4l1.1-1.1",
  moon: "M16 12A7 7 0 0 1 8 4a6.5 6.5 0 1 0 8 8z",
  auto: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 3v14M10 6l4-1M10 10h6.9M10 14l4 1",
  help: "M7.5 7.5A2.5 2.5 0 1 1 10 10.5V12M10 15h.01",
  out: "M8 4H4v12h4M12 7l3 3-3 3M15 10H8",
  close: "M5 5l10 10M15 5L5 15",
  check: "M4 10.5l4 4 8-9",
  left: "M12 4l-6 6 6 6",
  right: "M8 4l6 6-6 6",
  retry: "M16 10a6 6 0 1 1-1.8-4.3L16 7.5M16 3.5v4h-4",
  trash: "M4 6h12M8 6V4h4v2M6 6l.700 11h6.6L14 6",
  stop: "M5.5 5.5h9v9h-9z",
  refresh: "M4 10a6 6 0 0 1 10.5-4M16 10a6 6 0 0 1-10.5 4M14.5 2.5V6H11M5.5 17.5V14H9",
  edit: "M4 16v-3l9-9 3 3-9 9z",
  link: "M8 5H5v10h10v-3M11 4h5v5M16 4l-7 7",
});

/** @param {{name: string}} props */
export const Icon = ({ name }) => html`
  <svg viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
    <path d=${shapes[name] ?? ""} /></svg>`;

/** The mark of asyncops. */
export const Mark = () => html`
  <svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7" fill="#3157d5" /><path
    d="M8 11h11M8 16h16M8 21h7" stroke="#fff" stroke-width="2.6" stroke-linecap="round" /><circle cx="23" cy="21" r="3" fill="#9ff0c0" /></svg>`;
