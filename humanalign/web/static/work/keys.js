// The keys. Inert while one writes in a text field; none of them destroys anything.

import { typing } from "../page.js";
import { move, tie } from "./ranking.js";

/** Listen for the keys of one task; `act` holds what leads away from the grid. */
export function mountKeys(sheet, act, signal) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    if (press(event, sheet, act)) event.preventDefault();
  }, { signal });
}

/** The key as on an English keyboard, whatever letters the person's own keyboard writes. */
export function keyOf(event) {
  if (/^[\x21-\x7e]$/.test(event.key)) return event.key.toLowerCase();
  const place = /^(?:Key|Digit|Numpad)([A-Z0-9])$/.exec(event.code);
  return place && event.key.length === 1 ? place[1].toLowerCase() : event.key;
}

/** Do what the key says. True when it was one of ours. */
function press(event, sheet, act) {
  const key = keyOf(event);
  if (act.busy()) return false;
  const modal = document.querySelector("dialog:modal");
  if (modal) return modal.id === "drawer" && key === "g" && plain(event) && act.drawer();
  if (key === "Enter") return enter(event, sheet, act);
  if (typing(event.target)) return false;
  if (key === "Escape") return act.closeDrawer();
  if (event.altKey && !event.ctrlKey && !event.metaKey) return shift(key, sheet);
  if (!plain(event)) return false;
  if (event.repeat && !"jk".includes(key)) return /^[0-9f=]$/.test(key);
  return mark(key, sheet) || lead(key, sheet, act);
}

function plain(event) {
  return !event.ctrlKey && !event.metaKey && !event.altKey;
}

/** Ctrl+Enter sends; Enter alone sends only where one key was the whole answer. */
function enter(event, sheet, act) {
  if (event.ctrlKey || event.metaKey) return act.submit();
  if (!event.target.matches("fieldset.marks input, body, main")) return false;
  if (sheet.groups.length === 1 && !event.repeat) return act.submit();
  return event.target.matches("input");
}

function shift(key, sheet) {
  const step = { ArrowUp: -1, ArrowDown: 1 }[key];
  if (!step || sheet.kind !== "ranking") return false;
  move(sheet, sheet.current().dataset.group, step);
  return true;
}

/** A key that gives a mark: one of the group's own, or = for a tie. */
function mark(key, sheet) {
  const group = sheet.current();
  if (key === "=" && sheet.kind === "ranking") {
    if (tie(sheet, group)) sheet.onward(group);
    return true;
  }
  const radio = group.querySelector(`input[data-key="${CSS.escape(key)}"]`);
  if (!radio) return false;
  sheet.set(group, radio.value);
  sheet.onward(group);
  return true;
}

function lead(key, sheet, act) {
  const does = {
    j: () => sheet.step(1),
    k: () => sheet.step(-1),
    e: () => act.expand(),
    r: () => act.reveal(),
    n: () => act.note(),
    g: () => act.drawer(),
    s: () => act.skip(),
    u: () => act.back(),
    "?": () => act.keys(),
  }[key];
  if (!does) return false;
  does();
  return true;
}
