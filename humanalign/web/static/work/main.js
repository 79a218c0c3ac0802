// The page on which answers are judged: mounts a task, sends it, and puts the next in its place.

import { Drafts, forget, restore } from "./drafts.js";
import { bind, closeDrawer, mountDialogs, openDialog, toggleDrawer } from "./drawer.js";
import { mountKeys } from "./keys.js";
import { mountRail } from "./rail.js";
import { complain, follow } from "./ranking.js";
import { fold, reachable, reveal, unfold } from "./reading.js";
import { bindReport } from "./reports.js";
import { atGate, atSignIn, banner, deliver, unsent } from "./sending.js";
import { Sheet } from "./sheet.js";
import { watch } from "./timing.js";
import { load, words, announce } from "./words.js";

let task = null;

/** Bring the form on the page to life. */
function mount() {
  task?.stop.abort();
  task = null;
  const form = document.getElementById("task");
  if (!form) return;
  const stop = new AbortController();
  const { signal } = stop;
  const kept = restore(form);
  const sheet = new Sheet(form);
  const clock = watch(sheet, signal);
  const drafts = new Drafts(form, clock, signal);
  task = { form, sheet, clock, drafts, stop, sending: false };
  form.noValidate = true;
  form.addEventListener("focusin", (event) => sheet.arrive(event.target), { signal });
  follow(sheet, signal);
  mountRail(sheet, signal);
  sheet.onChange(() => drafts.changed());
  mountKeys(sheet, acts(task), signal);
  fold(sheet);
  reachable(form);
  form.addEventListener("submit", (event) => { event.preventDefault(); submit(); }, { signal });
  bindSkip(document.getElementById("skip-dialog"));
  bindReport(document.getElementById("report-dialog"));
  bindLinks(signal);
  if (kept) { drafts.changed(); drafts.show("restored"); }
  const faulty = sheet.groups.find((group) => group.getAttribute("aria-invalid"));
  // A new task is read from its top, the prompt first; only a complaint leads to its card.
  if (faulty) sheet.focus(faulty);
  else sheet.point(sheet.open() ?? sheet.groups[0]);
}

function acts({ sheet, form }) {
  const card = () => sheet.current().closest(".answer") ?? sheet.cards[0];
  const all = (act) => (sheet.current().dataset.group ? act(card()) : sheet.cards.forEach(act));
  return {
    busy: () => task.sending,
    submit: () => { submit(); return true; },
    expand: () => all((each) => unfold(sheet, each)),
    reveal: () => all(reveal),
    note: () => { form.querySelector(".remark").open = true; form.elements.note.focus(); },
    drawer: toggleDrawer,
    closeDrawer,
    skip: () => openDialog("skip-dialog"),
    keys: () => openDialog("keys-dialog"),
    back: () => document.querySelector("[data-back]")?.click(),
  };
}

/** Send the answer if every card has a mark; else say which has none. */
async function submit() {
  const { sheet, form, clock, drafts } = task;
  if (task.sending) return;
  const open = sheet.open();
  if (open) return complain(sheet, open);
  clock();
  drafts.stop();
  await send(form.action, new URLSearchParams(new FormData(form)));
}

/** Send a form of this page and show what comes back; the task is still until then. */
async function send(url, body) {
  const mine = task;
  const { stop, form } = mine;
  freeze(true);
  const response = await deliver(url, body, stop.signal);
  if (!response) return;
  if (atSignIn(response)) return location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
  if (![200, 409, 422].includes(response.status)) {
    freeze(false);
    mine.drafts.changed();
    return banner("refused");
  }
  if (atGate(response)) {
    mine.drafts.changed();
    return location.assign(response.url);
  }
  if (response.ok) {
    if (url === form.action) history.replaceState(null, "", new URL(url).pathname);
    if (url.startsWith(form.action)) forget(form);
    announce("stored");
  }
  await show(response, response.redirected);
}

function freeze(on) {
  task.sending = on;
  task.form.classList.toggle("sending", on);
  task.form.setAttribute("aria-busy", String(on));
  for (const part of task.form.querySelectorAll(".answers, fieldset.marks")) part.inert = on;
}

/** Put a page of this kind in the place of this one; any other page is opened as such. */
async function show(response, moved) {
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const next = page.querySelector("main");
  if (response.ok && !page.getElementById("task")) return location.assign(response.url);
  if (moved) history.pushState(null, "", response.url);
  document.title = page.title;
  for (const place of ["main", ".bar-page"]) {
    document.querySelector(place).replaceWith(document.adoptNode(place === "main" ? next : page.querySelector(place)));
  }
  scrollTo({ top: 0, behavior: "instant" });
  mount();
  if (!task) document.querySelector("main").focus();
}

/** Go to another task's page, the draft of this one saved first. */
async function go(url, push = true) {
  if (task?.sending) return;
  await task?.drafts.save();
  try {
    const response = await fetch(url, { headers: { Accept: "text/html" } });
    if (!response.ok || atSignIn(response)) throw new Error(String(response.status));
    await show(response, push);
  } catch {
    location.assign(url);
  }
}

function bindLinks(signal) {
  const keys = document.querySelector("[data-keys]");
  keys.hidden = false;
  keys.addEventListener("click", () => openDialog("keys-dialog"), { signal });
  const leads = {
    "[data-drawer]": toggleDrawer,
    "[data-skip]": () => openDialog("skip-dialog"),
    "[data-report]": () => openDialog("report-dialog"),
    "[data-back]": (link) => go(link.href),
    "[data-view]": (link) => go(link.href),
  };
  for (const [name, act] of Object.entries(leads)) {
    for (const link of document.querySelectorAll(name)) {
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        act(link);
      }, { signal });
    }
  }
}

function bindSkip(dialog) {
  if (!dialog) return;
  bind(dialog);
  const form = dialog.querySelector("form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const body = new URLSearchParams(new FormData(form));
    dialog.close();
    task.drafts.stop();
    send(form.action, body);
  });
}

/** An answer of this person that the last visit of this tab could not send goes first. */
async function start() {
  load();
  mountDialogs();
  mount();
  const waiting = task && unsent(task.form.elements.who.value);
  if (!waiting) return;
  const body = new URLSearchParams(waiting.body);
  body.set("csrf", task.form.elements.csrf.value);
  banner("unsent");
  await send(waiting.url, body);
}

addEventListener("popstate", () => go(location.href, false));
start();
