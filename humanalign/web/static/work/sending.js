// Sending an answer: one request that ends in the next task's page. What could not be sent is kept
// in the tab and sent again under the same key, so that the server stores it once.

import { words } from "./words.js";

const SHELF = "humanalign.unsent.";
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 20_000;

/** The answer of this person that the tab still has to send, or null; others' are left alone. */
export function unsent(who) {
  const kept = sessionStorage.getItem(SHELF + who);
  return kept ? JSON.parse(kept) : null;
}

/**
 * Send until there is an answer, and return the response. `unsent` waits in the tab meanwhile.
 *
 * A network failure, a busy server (429) or a broken one (5xx) is tried again, at once when the
 * network comes back.
 */
export async function deliver(url, body, signal) {
  const shelf = SHELF + body.get("who");
  sessionStorage.setItem(shelf, JSON.stringify({ url, body: body.toString() }));
  for (let wait = FIRST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    const response = await attempt(url, body);
    if (signal.aborted) return null;
    if (response) {
      if (!atSignIn(response)) sessionStorage.removeItem(shelf);
      banner("");
      return response;
    }
    banner("unsent");
    await pause(wait, signal);
    if (signal.aborted) return null;
  }
}

/** Whether the session ended: the answer stays in the tab until one has signed in again. */
export function atSignIn(response) {
  return new URL(response.url).pathname === "/sign-in";
}

/** Whether the instructions come first: the answer is not stored, and stays as a draft. */
export function atGate(response) {
  return new URL(response.url).pathname.endsWith("/gate");
}

/** Show the line about an answer that is not stored; "" takes it away. */
export function banner(name) {
  const place = document.getElementById("unsent");
  if (!place) return;
  place.hidden = !name;
  place.textContent = name ? words(name) : "";
}

async function attempt(url, body) {
  try {
    const response = await fetch(url, { method: "POST", body, headers: { Accept: "text/html" } });
    return response.status >= 500 || response.status === 429 ? null : response;
  } catch {
    return null;
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    addEventListener("online", () => { clearTimeout(timer); resolve(); }, { once: true, signal });
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); });
  });
}
