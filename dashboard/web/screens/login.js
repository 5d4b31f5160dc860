// Signing in with an API key. It is sent once, and a cookie that no script can
// read stands for it from then on.
import { useState } from "preact/hooks";
import { html } from "../html.js";
import { signIn } from "../session.js";
import { asProblem } from "../resource.js";
import { Mark } from "../ui/icon.js";
import { Button, Failure } from "../ui/parts.js";

export function Login() {
  const [problem, setProblem] = useState(/** @type {import("../api.js").Problem | null} */ (null));
  const [busy, setBusy] = useState(false);
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const key = /** @type {HTMLFormElement} */ (event.currentTarget).key.value.trim();
    setBusy(true);
    try {
      await signIn(key);
    } catch (err) {
      setProblem(asProblem(err));
    }
    setBusy(false);
  };
  document.title = "Sign in · asyncops";
  return html`
    <main class="login">
      <form class="panel login-box form" onSubmit=${submit}>
        <div class="brand"><${Mark} />asyncops</div>
        ${problem && html`<${Failure} problem=${problem} what="Not signed in" />`}
        <div class="field">
          <label for="key">API key</label>
          <input id="key" name="key" type="password" required autocomplete="current-password" spellcheck=${false} autofocus placeholder="aok_…" aria-describedby="key-hint" />
          <span class="hint" id="key-hint">Made by <code>asyncops keys create --direct --name you --role viewer</code>, or listed under <code>api.keys</code>. What you may do here is what the key may do.</span>
        </div>
        <${Button} type="submit" kind="primary" disabled=${busy} id="sign-in">Sign in<//>
      </form>
    </main>`;
}
