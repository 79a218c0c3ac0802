// Telling the owner that something is wrong with a task, which stays on the page meanwhile.

import { bind } from "./drawer.js";
import { words, announce } from "./words.js";

/** Send the dialog's form in the background; what could not be sent stays in it. */
export function bindReport(dialog) {
  if (!dialog) return;
  bind(dialog);
  const form = dialog.querySelector("form");
  const failed = form.querySelector("[role=alert]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button.primary");
    button.disabled = true;
    const stored = await post(form);
    button.disabled = false;
    failed.textContent = stored ? "" : words("notReported");
    if (!stored) return;
    form.reset();
    dialog.close();
    document.getElementById("reported").hidden = false;
    announce("reported");
  });
}

async function post(form) {
  const body = new URLSearchParams(new FormData(form));
  const headers = { Accept: "application/json" };
  try {
    return (await fetch(form.action, { method: "POST", body, headers })).ok;
  } catch {
    return false;
  }
}
