// What is around the radio grid: ties, moves, the summary line, each card's standing, the message.

import { moved, summary } from "./marks.js";
import { announce, words } from "./words.js";

/** Keep summary, standings and the submit button in step with the radios. */
export function follow(sheet, signal) {
  const show = () => {
    const marks = sheet.marks();
    const line = document.getElementById("summary");
    if (line) line.textContent = summary(marks);
    for (const card of sheet.cards) {
      const { letter } = card.dataset;
      card.dataset.mark = marks[letter] ?? "";
      const place = card.querySelector(".standing");
      if (sheet.kind === "ranking") place.textContent = sheet.standing(letter, marks);
    }
    document.getElementById("submit").classList.toggle("ready", !sheet.open());
    if (!sheet.open()) complain(sheet, null);
  };
  const before = new Map(sheet.groups.map((group) => [group, sheet.value(group)]));
  sheet.onChange((group) => { before.set(group, sheet.value(group)); show(); });
  sheet.form.addEventListener("change", (event) => {
    if (!event.target.matches("fieldset.marks input")) return;
    const group = event.target.closest("fieldset.marks");
    sheet.changed(group, before.get(group));
  }, { signal });
  for (const hidden of sheet.form.querySelectorAll(".moves, .grip")) hidden.hidden = false;
  sheet.form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-move]");
    if (!button) return;
    const { letter } = button.closest(".answer").dataset;
    move(sheet, letter, Number(button.dataset.move));
  }, { signal });
  show();
}

/** Move a card one place up (-1) or down (+1); the focus stays on it. */
export function move(sheet, letter, step) {
  const marks = moved(sheet.marks(), letter, step);
  if (marks) sheet.setAll(marks, letter);
  else announce(step < 0 ? "first" : "last", { letter });
  sheet.focus(sheet.group(letter));
}

/** Give a card the mark of the one before it. True when it could. */
export function tie(sheet, group) {
  const before = sheet.groups[sheet.groups.indexOf(group) - 1];
  if (!before) return announce("nothingBefore") ?? false;
  const mark = sheet.value(before);
  if (!mark) return announce("beforeIsOpen", { letter: before.dataset.group }) ?? false;
  return sheet.set(group, mark);
}

/** Name the card without a mark and put the focus there; null takes the message away. */
export function complain(sheet, group) {
  const place = document.getElementById("problem");
  if (!group) {
    place.textContent = "";
    return;
  }
  const highest = group.querySelectorAll("input").length - (sheet.kind === "ranking" ? 1 : 0);
  place.textContent = words("missing", { letter: group.dataset.group, highest });
  group.setAttribute("aria-invalid", "true");
  group.setAttribute("aria-describedby", "problem");
  sheet.focus(group);
}
