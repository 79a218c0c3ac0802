// The radio grid: reading and writing marks, the card one is at, what is said and shown about them.

import { tiedWith } from "./marks.js";
import { announce, words } from "./words.js";

export class Sheet {
  constructor(form) {
    this.form = form;
    this.kind = form.dataset.kind;
    this.cards = [...form.querySelectorAll(".answer")];
    this.groups = [...form.querySelectorAll("fieldset.marks")];
    this.changes = 0;
    this.listeners = [];
    this.last = null;
  }

  /** Call `listener` after every change of a mark. */
  onChange(listener) {
    this.listeners.push(listener);
  }

  /** The value that is checked in a group, "" before any. */
  value(group) {
    return group.querySelector("input:checked")?.value ?? "";
  }

  /** The marks so far, by letter; a pairwise choice stands under "". */
  marks() {
    const given = this.groups.map((group) => [group.dataset.group, this.value(group)]);
    return Object.fromEntries(given.filter(([, value]) => value));
  }

  /** The group of a letter. */
  group(letter) {
    return this.groups.find((group) => group.dataset.group === letter) ?? this.groups[0];
  }

  card(letter) {
    return this.cards.find((card) => card.dataset.letter === letter);
  }

  /** The group that keys speak to: where the focus is or was last, else the first still open. */
  current() {
    return this.within(document.activeElement) ?? this.last ?? this.open() ?? this.groups[0];
  }

  /** The group of the card that an element is in. */
  within(element) {
    const place = element?.closest?.(".answer, fieldset.marks");
    return place && this.groups.find((group) => place === group || place.contains(group));
  }

  /** Remember and show which card keys speak to. */
  arrive(element) {
    const group = this.within(element);
    if (!group) return;
    this.last = group;
    for (const card of this.cards) card.toggleAttribute("data-current", card.contains(group));
  }

  /** Check the radio of a value. True when there is one. */
  set(group, value) {
    const radio = [...group.querySelectorAll("input")].find((each) => each.value === value);
    if (!radio) return false;
    const before = this.value(group);
    radio.checked = true;
    if (before !== value) this.changed(group, before);
    return true;
  }

  /** Write many marks as one change, and speak of `letter`. */
  setAll(marks, letter) {
    const before = this.value(this.group(letter));
    for (const [each, value] of Object.entries(marks)) {
      const radio = [...this.group(each).querySelectorAll("input")].find((one) => one.value === value);
      if (radio) radio.checked = true;
    }
    this.changed(this.group(letter), before);
  }

  /** Tell everybody that this group's mark is another one now. */
  changed(group, before) {
    if (before) this.changes += 1;
    group.removeAttribute("aria-invalid");
    for (const listener of this.listeners) listener(group);
    if (this.kind === "ranking") this.speak(group.dataset.group);
  }

  speak(letter) {
    const marks = this.marks();
    if (marks[letter] === "F") return announce("unusable", { letter });
    const others = tiedWith(marks, letter).join(", ");
    return announce(others ? "tied" : "ranked", { letter, rank: marks[letter], others });
  }

  /** The text beside a card's radios: "Rank 2, tied with A". */
  standing(letter, marks) {
    if (!marks[letter]) return words("waiting");
    if (marks[letter] === "F") return words("out");
    const others = tiedWith(marks, letter).join(", ");
    return words(others ? "rankTied" : "rank", { rank: marks[letter], others });
  }

  /** Put the focus on a group without choosing anything and without scrolling. */
  point(group) {
    (group.querySelector("input:checked") ?? group.querySelector("input")).focus({ preventScroll: true });
  }

  /** Put the focus on a group, its card in view from its beginning. */
  focus(group) {
    this.point(group);
    this.show(group.closest(".answer") ?? group);
  }

  /** Scroll only as far as needed; a card that does not fit shows its beginning. */
  show(place) {
    const bar = document.querySelector(".bar").getBoundingClientRect();
    const top = Math.max(0, bar.bottom);
    const finish = this.form.querySelector(".finish");
    const bottom = finish.contains(place) ? innerHeight : finish.getBoundingClientRect().top;
    const box = place.getBoundingClientRect();
    if (box.top >= top && box.bottom <= bottom) return;
    place.scrollIntoView({ block: box.height > bottom - top || box.top < top ? "start" : "nearest" });
  }

  /** Go `step` groups on (or cards, where one group serves all). */
  step(step) {
    if (this.groups.length === 1 && this.cards.length > 1) return this.scrollBy(step);
    const place = this.groups.indexOf(this.current()) + step;
    return this.focus(this.groups[Math.min(this.groups.length - 1, Math.max(0, place))]);
  }

  scrollBy(step) {
    const middle = innerHeight / 3;
    const here = this.cards.findLastIndex((card) => card.getBoundingClientRect().top <= middle);
    this.show(this.cards[Math.min(this.cards.length - 1, Math.max(0, here + step))]);
  }

  /** After a mark: to the next card; from the last one to the first that is still open. */
  onward(group) {
    const next = this.groups[this.groups.indexOf(group) + 1];
    const open = this.groups.find((each) => !this.value(each));
    this.focus(next ?? open ?? group);
  }

  /** The first group without a mark. */
  open() {
    return this.groups.find((group) => !this.value(group));
  }
}
