// Samples of a run as articles: hostile or not, what a model said is text and nothing else.

import { el, number } from "./words.js";

// Texts that one reads first; all others are folded away.
const SPOKEN = new Set(["completion", "completions", "before", "after", "response", "chosen"]);
const MOST = 60;

/** A sample as an article. */
export function article(sample) {
  const head = [sample.step == null ? "" : `Step ${sample.step}`,
    ...sample.numbers.map(([name, value]) => `${name} ${number(value)}`)].filter(Boolean);
  const spoken = sample.texts.filter(([name]) => SPOKEN.has(name));
  const folded = sample.texts.filter(([name]) => !SPOKEN.has(name));
  const alone = new Set(spoken.map(([name]) => name)).size < 2;
  return el("article", {},
    el("p", { class: "scores" }, ...head.map((each) => el("span", {}, each))),
    ...folded.map(([name, text]) => el("details", { class: "prompt" },
      el("summary", {}, el("span", { class: "name" }, name), " ", el("span", { dir: "auto" }, opening(text))),
      el("p", { class: "said", dir: "auto" }, text))),
    ...spoken.flatMap(([name, text]) => [
      alone ? null : el("h3", {}, name), el("p", { class: "said", dir: "auto" }, text)]));
}

const opening = (text) => {
  const line = text.replace(/\s+/g, " ");
  return line.length > 160 ? `${line.slice(0, 160)}…` : line;
};

/** Put new samples on top of those that are there; the oldest go, so that the page does not grow. */
export function prepend(place, rows) {
  place.prepend(...[...rows].reverse().map(article));
  while (place.children.length > MOST) place.lastChild.remove();
}
