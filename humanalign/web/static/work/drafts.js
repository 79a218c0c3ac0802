// Nothing typed is lost: a draft goes to the server two seconds after a change, and stays in the
// tab until the server has it. The item's lease is renewed while the page is in sight.

import { words } from "./words.js";

const WAIT = 2000;
const AGAIN = 10_000;
const BEAT = 5 * 60_000;

/** The place in this tab for what the server does not have yet, one for each who signs in here. */
function shelf(form) {
  const { item, revision } = form.dataset;
  return `humanalign.draft.${form.elements.who.value}.${item}.${revision}`;
}

/** Put back what this tab kept of the task. True when there was something. */
export function restore(form) {
  const kept = sessionStorage.getItem(shelf(form));
  if (!kept) return false;
  for (const [name, value] of new URLSearchParams(kept)) {
    const field = form.elements[name];
    if (name.startsWith("mark.") || name === "choice" || name === "note" || name === "timing") {
      if (field) field.value = value;
    }
  }
  if (form.elements.note.value) form.querySelector(".remark").open = true;
  return true;
}

/** Forget what this tab kept: it was answered or skipped. */
export function forget(form) {
  sessionStorage.removeItem(shelf(form));
}

export class Drafts {
  constructor(form, clock, signal) {
    Object.assign(this, { form, clock, timer: null, number: 0, state: "" });
    signal.addEventListener("abort", () => clearTimeout(this.timer));
    form.addEventListener("input", () => this.changed(), { signal });
    document.addEventListener("visibilitychange", () => this.hidden(), { signal });
    const beat = setInterval(() => this.beat(), BEAT);
    signal.addEventListener("abort", () => clearInterval(beat));
  }

  /** Something was entered: keep it here now, on the server soon. */
  changed() {
    this.number += 1;
    sessionStorage.setItem(shelf(this.form), this.body().toString());
    if (this.state !== "saving") this.show("");
    this.timer ??= setTimeout(() => this.save(), WAIT);
  }

  /** What a draft holds: the form without its one-time key. */
  body() {
    this.clock();
    const fields = new URLSearchParams(new FormData(this.form));
    fields.delete("key");
    return fields;
  }

  /** Send the draft; a failure is tried again later, and the tab keeps it meanwhile. */
  async save() {
    clearTimeout(this.timer);
    this.timer = null;
    if (!sessionStorage.getItem(shelf(this.form))) return;
    const { number } = this;
    this.show("saving");
    const stored = await this.post("draft", this.body());
    if (!this.form.isConnected) return;
    if (!stored) {
      this.show("kept");
      this.timer ??= setTimeout(() => this.save(), AGAIN);
    } else if (number === this.number) {
      forget(this.form);
      this.show("saved");
    }
  }

  /** Stop: the answer itself is on its way. */
  stop() {
    clearTimeout(this.timer);
    this.timer = null;
  }

  async post(what, body) {
    const headers = { Accept: "application/json" };
    try {
      return (await fetch(`${this.form.action}/${what}`, { method: "POST", body, headers })).ok;
    } catch {
      return false;
    }
  }

  /** The page goes out of sight: send at once, in a way that outlives it. */
  hidden() {
    if (document.visibilityState !== "hidden" || this.timer === null) return;
    navigator.sendBeacon(`${this.form.action}/draft`, this.body());
  }

  beat() {
    const unanswered = this.form.dataset.revision === "0";
    if (unanswered && document.visibilityState === "visible") {
      this.post("heartbeat", new URLSearchParams({ csrf: this.form.elements.csrf.value }));
    }
  }

  show(state) {
    this.state = state;
    const place = document.getElementById("saved");
    if (!place) return;
    place.dataset.state = state;
    place.textContent = state ? words(state) : "";
  }
}
