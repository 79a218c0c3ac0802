// Long answers are folded with a button that unfolds them; covered ones are shown on demand.

import { words } from "./words.js";

/** Fold what is much longer than the screen; without scripts nothing is folded. */
export function fold(sheet) {
  for (const card of sheet.cards) {
    const button = card.querySelector("[data-more]");
    const text = card.querySelector(".answer-text");
    if (!button || !text) continue;
    text.classList.add("folds");
    const long = text.scrollHeight > text.clientHeight * 1.25;
    text.classList.toggle("folds", long);
    button.hidden = !long;
    if (long) button.addEventListener("click", () => unfold(sheet, card));
  }
}

/** Show all of a card's text, or fold it again. */
export function unfold(sheet, card) {
  const button = card?.querySelector("[data-more]:not([hidden])");
  if (!button) return;
  const folded = card.querySelector(".answer-text").classList.toggle("folds");
  button.setAttribute("aria-expanded", String(!folded));
  const said = words(folded ? "more" : "less", { letter: card.dataset.letter });
  button.firstChild.textContent = `${said} `;
  if (folded) sheet.show(card);
}

/** Show or hide a covered answer. */
export function reveal(card) {
  const veil = card?.querySelector(".veil");
  if (veil) veil.open = !veil.open;
}

/** A part that scrolls by itself can be reached by keyboard. */
export function reachable(form) {
  for (const place of form.querySelectorAll("[data-scrolls]")) {
    if (place.scrollHeight <= place.clientHeight + 1) continue;
    place.tabIndex = 0;
    place.setAttribute("role", "region");
    place.setAttribute("aria-labelledby", "prompt-name");
  }
}
