// What every page shares: the theme switch, showing a password, dialogs, messages read aloud.

const YEAR = 365 * 86400;
const THEMES = ["auto", "light", "dark"];

/** Send to this site with the form token; `body` goes as JSON. */
export function send(path, body, options = {}) {
  return fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": csrf() },
    body: JSON.stringify(body ?? {}),
    ...options,
  });
}

/** The token that unsafe requests carry. */
export function csrf() {
  return document.querySelector('meta[name="csrf"]').content;
}

/** Have a screen reader say `text` without moving the focus. */
export function say(text) {
  const place = document.getElementById("said");
  place.textContent = "";
  requestAnimationFrame(() => { place.textContent = text; });
}

/** Whether keys typed now belong to a text field. */
export function typing(target) {
  return target instanceof HTMLElement
    && (target.isContentEditable || target.matches("textarea, select, input:not([type=radio], [type=checkbox])"));
}

function themeSwitch() {
  const button = document.querySelector("[data-theme-switch]");
  if (!button) return;
  const root = document.documentElement;
  const label = button.querySelector(".hidden");
  const show = () => {
    label.textContent = button.title = button.dataset[root.dataset.theme];
  };
  button.hidden = false;
  show();
  button.addEventListener("click", () => {
    root.dataset.theme = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
    document.cookie = `ha_theme=${root.dataset.theme}; path=/; max-age=${YEAR}; samesite=lax`;
    show();
    say(label.textContent);
  });
}

function passwords() {
  for (const button of document.querySelectorAll("[data-shows]")) {
    const field = document.getElementById(button.dataset.shows);
    button.hidden = false;
    button.addEventListener("click", () => {
      const hidden = field.type === "password";
      field.type = hidden ? "text" : "password";
      button.textContent = hidden ? button.dataset.hide : button.dataset.show;
      button.setAttribute("aria-pressed", String(hidden));
    });
    field.form?.addEventListener("submit", () => { field.type = "password"; });
  }
}

function dialogs() {
  for (const opener of document.querySelectorAll("[data-opens]")) {
    const dialog = document.getElementById(opener.dataset.opens);
    opener.hidden = false;
    opener.addEventListener("click", (event) => {
      event.preventDefault();
      dialog.showModal();
    });
  }
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog || event.target.closest("[data-closes]")) dialog.close();
    });
  }
}

function sentOnce() {
  // A second click while the first is under way would send the form twice.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => {
    for (const form of document.forms) delete form.dataset.sent;
  });
}

function copies() {
  for (const button of document.querySelectorAll("[data-copies]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copies);
      await navigator.clipboard.writeText(source.value ?? source.textContent);
      button.textContent = button.dataset.copied;
      say(button.dataset.copied);
    });
  }
}

themeSwitch();
passwords();
dialogs();
sentOnce();
copies();
document.querySelector("[data-focus]")?.focus();
