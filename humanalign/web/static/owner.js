// The owner's pages: figures that refresh themselves, the preview of instructions, local times.

const EVERY = 5000;

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const when = new Date(time.dateTime);
    if (Number.isNaN(when.valueOf())) continue;
    time.title = time.textContent;
    time.textContent = when.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  }
}

function live() {
  const section = document.querySelector("[data-live-from]");
  if (!section) return;
  const queue = document.getElementById("live-queue");
  const refresh = async () => {
    if (document.hidden) return;
    let seen;
    try {
      const response = await fetch(section.dataset.liveFrom, { headers: { Accept: "application/json" } });
      if (!response.ok) return;
      seen = await response.json();
    } catch {
      return; // the next round asks again
    }
    for (const place of section.querySelectorAll("[data-live]")) {
      const value = seen[place.dataset.live];
      if (value === undefined) continue;
      if (place instanceof HTMLProgressElement) place.value = value;
      else place.textContent = value;
    }
    if (!queue.contains(document.activeElement)) replace(queue, seen.queue);
  };
  setInterval(refresh, EVERY);
}

/** Put HTML that our own server rendered and escaped in the place of what `node` holds. */
function replace(node, html) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  node.replaceChildren(...parsed.body.childNodes);
  localTimes(node);
}

function busy() {
  // Figures are on their way: look again, unless somebody is in the middle of something.
  if (!document.querySelector("[data-busy]")) return;
  setTimeout(() => {
    const active = document.activeElement;
    if (active && active.matches("input, textarea, select, button")) busy();
    else location.reload();
  }, EVERY);
}

function preview() {
  const form = document.querySelector("form[data-preview]");
  if (!form) return;
  const text = form.elements.namedItem("text");
  const shown = document.getElementById("preview");
  let waiting = 0;
  text.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const body = new FormData();
      body.set("csrf", form.elements.namedItem("csrf").value);
      body.set("text", text.value);
      const response = await fetch(form.dataset.preview, { method: "POST", body });
      if (response.ok) replace(shown, await response.text());
    }, 400);
  });
}

function unsaved() {
  const form = document.querySelector("form[data-preview]");
  if (!form) return;
  let changed = false;
  form.addEventListener("input", () => { changed = true; });
  form.addEventListener("submit", () => { changed = false; });
  addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
}

localTimes(document);
live();
busy();
preview();
unsaved();
