// The rail of ranks below the answers: letters are dragged to a rank, and the radios are written.
//
// Nothing here is state: the rail is drawn from the radios after every change. Radios, keys and the
// up and down buttons do the same, so the rail is left out of what is read aloud.

import { words } from "./words.js";

const FAR_ENOUGH = 5;

/** Draw the rail and let letters be dragged along it, from the rail or from a card's handle. */
export function mountRail(sheet, signal) {
  const rail = document.getElementById("rail");
  if (!rail) return;
  const ranks = [...sheet.groups[0].querySelectorAll("input")].map((radio) => radio.value);
  rail.hidden = false;
  const draw = () => rail.replaceChildren(...zones(ranks, sheet.marks(), sheet.cards));
  sheet.onChange(draw);
  draw();
  sheet.form.addEventListener("pointerdown", (event) => start(event, sheet, signal), { signal });
}

function zones(ranks, marks, cards) {
  const letters = cards.map((card) => card.dataset.letter);
  const waiting = letters.filter((letter) => !marks[letter]);
  const made = ranks.map((rank) => zone(rank, letters.filter((each) => marks[each] === rank)));
  // As wide with one letter as with all, so that nothing moves while one ranks.
  const tray = zone("", waiting);
  tray.style.minInlineSize = `${2.05 * letters.length + 7.5}rem`;
  return [tray, ...made];
}

function zone(rank, letters) {
  const place = element("div", rank ? "zone" : "zone waiting");
  place.dataset.rank = rank;
  const label = element("span", "zone-rank", rank || words(letters.length ? "waiting" : "allRanked"));
  place.append(label, ...letters.map((letter) => {
    const chip = element("span", "chip", letter);
    chip.dataset.grip = letter;
    return chip;
  }));
  return place;
}

function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

/** Follow one pointer from press to release. */
function start(event, sheet, signal) {
  const grip = event.target.closest("[data-grip]");
  if (!grip || event.button !== 0) return;
  event.preventDefault();
  const letter = grip.dataset.grip;
  const drag = new AbortController();
  const options = { signal: AbortSignal.any([signal, drag.signal]) };
  let ghost = null;
  const move = (moving) => {
    if (moving.pointerId !== event.pointerId) return;
    const far = Math.hypot(moving.clientX - event.clientX, moving.clientY - event.clientY);
    if (!ghost && far > FAR_ENOUGH) ghost = lift(letter, sheet);
    if (ghost) place(ghost, moving);
  };
  const end = (ending) => {
    if (ending.pointerId !== event.pointerId) return;
    const rank = ending.type === "pointerup" ? rankUnder(ending) : "";
    if (ghost && rank) sheet.set(sheet.group(letter), rank);
    drag.abort();
    sheet.focus(sheet.group(letter));
  };
  addEventListener("pointermove", move, options);
  addEventListener("pointerup", end, options);
  addEventListener("pointercancel", end, options);
  options.signal.addEventListener("abort", () => drop(ghost));
}

function lift(letter, sheet) {
  const ghost = element("span", "chip ghost", letter);
  ghost.setAttribute("aria-hidden", "true");
  sheet.form.append(ghost);
  document.getElementById("rail").classList.add("open");
  return ghost;
}

function place(ghost, event) {
  ghost.style.left = `${event.clientX}px`;
  ghost.style.top = `${event.clientY}px`;
  const over = zoneUnder(event);
  for (const each of document.querySelectorAll(".zone")) each.classList.toggle("over", each === over);
}

function drop(ghost) {
  ghost?.remove();
  document.getElementById("rail")?.classList.remove("open");
  for (const each of document.querySelectorAll(".zone.over")) each.classList.remove("over");
}

function zoneUnder(event) {
  return document.elementFromPoint(event.clientX, event.clientY)?.closest(".zone") ?? null;
}

function rankUnder(event) {
  return zoneUnder(event)?.dataset.rank ?? "";
}
