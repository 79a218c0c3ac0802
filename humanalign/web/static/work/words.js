// The sentences of the page in the person's language, and the place where they are read aloud.

import { say } from "../page.js";

let held = {};

/** Read the page's block of words. */
export function load() {
  const block = document.getElementById("words");
  held = block ? JSON.parse(block.textContent) : {};
}

/** The sentence of this name with its {places} filled; values keep their own direction. */
export function words(name, values = {}) {
  const around = document.documentElement.dir === "rtl" ? ["\u2068", "\u2069"] : ["", ""];
  return held[name].replace(/\{(\w+)\}/g, (_, key) => around[0] + values[key] + around[1]);
}

/** Have the sentence read aloud. */
export function announce(name, values) {
  say(words(name, values));
}
