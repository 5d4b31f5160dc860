// Starts the page: who is there, where we are, what is drawn.
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { html } from "./html.js";
import { signedOut } from "./api.js";
import { startClock } from "./clock.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { place, startRouter } from "./router.js";
import { recall, who } from "./session.js";
import { useResource } from "./resource.js";
import { Frame } from "./frame.js";
import { Confirm } from "./ui/dialog.js";
import { Toasts } from "./ui/toast.js";
import { Failure } from "./ui/parts.js";
import { Login } from "./screens/login.js";
import { NotFound } from "./screens/not-found.js";
import { Overview } from "./screens/overview.js";
import { Jobs } from "./screens/jobs.js";
import { Job } from "./screens/job.js";
import { Queues } from "./screens/queues.js";
import { Queue } from "./screens/queue.js";
import { Schedules } from "./screens/schedules.js";
import { Schedule } from "./screens/schedule.js";
import { Targets } from "./screens/targets.js";
import { Workers } from "./screens/workers.js";
import { Submit } from "./screens/submit.js";
import { Audit } from "./screens/audit.js";

/** @type {Record<string, {list: any, one?: any}>} */
const screens = {
  "": { list: Overview },
  jobs: { list: Jobs, one: Job },
  queues: { list: Queues, one: Queue },
  schedules: { list: Schedules, one: Schedule },
  targets: { list: Targets },
  workers: { list: Workers },
  submit: { list: Submit },
  audit: { list: Audit },
};

function Screen() {
  const { screen, name } = place.value;
  const found = Object.hasOwn(screens, screen) ? screens[screen] : undefined;
  const View = name ? found?.one : found?.list;
  return View ? html`<${View} name=${name} key=${`${screen}/${name}`} />` : html`<${NotFound} />`;
}

function App() {
  const session = useResource(recall, "session");
  useEffect(() => signedOut.subscribe((out) => { if (out && who.value?.authenticated) void session.reload(); }), []);
  if (!who.value) {
    return session.error ? html`<main class="login"><${Failure} problem=${session.error} again=${session.reload} /></main>` : null;
  }
  if (!who.value.authenticated) return html`<${Login} /><${Toasts} />`;
  return html`<${Frame}><${Screen} /><//><${Confirm} /><${Toasts} />`;
}

startClock();
startRouter();
startKeys();
startLive();
render(html`<${App} />`, /** @type {Element} */ (document.getElementById("app")));
