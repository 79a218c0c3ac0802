// Runs over each other: the same metric in one figure, settings that differ, numbers at the end.

import { Board } from "./board.js";
import { dashOf } from "./chart.js";
import { ask, poll } from "./poll.js";
import { el, number, put, show, status } from "./words.js";

const at = (name) => document.getElementById(name);
const ids = at("compared").dataset.runs.split(" ").filter(Boolean);
const MOST_POINTS = 1200;
const POINTS = 300;
const SVG = "http://www.w3.org/2000/svg";

const board = new Board(at("curves"), at("controls"), async (low, high) => {
  await Promise.all(ids.map(async (id) => {
    const view = await ask(`/api/runs/${id}/between`, { low, high, points: 2 * POINTS });
    if (board.range?.[0] === low) board.takeDetail(id, view.curves);
  }));
});
board.order = [...ids];
const places = new Map();
const groups = new Map(); // run id -> its groups of metrics
let lists = "";

/** The groups of all runs together: a metric that one run has stands where that run has it. */
function together() {
  const made = new Map();
  for (const each of groups.values()) {
    for (const { title, metrics } of each) {
      const held = made.get(title) ?? new Map();
      for (const metric of metrics) held.set(metric.name, metric);
      made.set(title, held);
    }
  }
  return [...made].map(([title, metrics]) => ({ title, metrics: [...metrics.values()] }));
}

async function curves() {
  const anew = board.longest > MOST_POINTS;
  const views = await Promise.all(ids.map(async (id) => {
    const from = anew ? {} : places.get(id) ?? {};
    try {
      return [id, await ask(`/api/runs/${id}/metrics`, { ...from, points: POINTS })];
    } catch (error) {
      if (error.status === 404) return [id, null];
      throw error;
    }
  }));
  for (const [id, view] of views) {
    if (!view) continue;
    places.set(id, { edition: view.edition, after: view.offset });
    if (view.whole) groups.set(id, view.groups);
  }
  board.arrange(together());
  for (const [id, view] of views) {
    if (!view) continue;
    const unknown = Object.keys(view.curves).some((name) => !board.charts.has(name));
    if (unknown && !view.whole) { places.delete(id); continue; }
    if (view.whole || Object.keys(view.curves).length) board.take(id, view.curves, view.whole);
  }
  show(at("controls"), board.charts.size > 0);
}

function legend(runs) {
  const shown = runs.map((run) => {
    const place = ids.indexOf(run.id);
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 30 8");
    svg.setAttribute("aria-hidden", "true");
    const line = document.createElementNS(SVG, "line");
    for (const [name, value] of Object.entries({ x1: 0, x2: 30, y1: 4, y2: 4, class: `ink-c${place % 8 + 1}`, "stroke-dasharray": dashOf(place).join(" ") })) line.setAttribute(name, value);
    svg.append(line);
    return el("li", {}, svg, el("a", { href: `/runs/${run.id}`, dir: "auto" }, run.name),
      el("small", {}, status(run)));
  });
  at("legend").replaceChildren(...shown);
}

function matrix(place, rows, runs) {
  const section = place.closest("section");
  if (section) show(section, rows.length > 0);
  place.querySelector("thead tr").replaceChildren(el("th", { scope: "col" }, place.dataset.first),
    ...runs.map((run) => el("th", { scope: "col", dir: "auto" }, run.name)));
  place.querySelector("tbody").replaceChildren(...rows.map((row) => el("tr", {}, el("th", { scope: "row" }, row.key),
    ...row.values.map((value) => el("td", { dir: "auto" }, value ?? "–")))));
}

/** The last value of each metric in each run, for who does not look at curves. */
function lastValues() {
  const table = at("values");
  if (!table.closest("details").open) return;
  const rows = [...board.charts.values()].map((chart) => ({
    key: chart.metric.title,
    values: ids.map((id) => (chart.curves.has(id) ? number(chart.curves.get(id).last) : null)),
  }));
  matrix(table, rows, ids.map((id) => ({ name: board.names.get(id) ?? id })));
}

async function beside() {
  const found = await ask("/api/compare", { run: ids });
  const now = JSON.stringify([found.settings, found.numbers, found.runs.map((run) => [run.id, status(run)])]);
  if (now === lists) return;
  lists = now;
  for (const run of found.runs) board.names.set(run.id, run.name);
  legend(found.runs);
  matrix(at("settings"), found.settings, found.runs);
  matrix(at("numbers"), found.numbers, found.runs);
  put(at("same"), found.settings.length || found.runs.length < 2 ? "" : "No setting differs between these runs.");
  put(at("gone"), found.gone ? `${found.gone} of the runs chosen ${found.gone === 1 ? "is" : "are"} gone.` : "");
}

board.drawn = () => {
  if (board.longest && !performance.getEntriesByName("curves").length) performance.mark("curves");
};
if (ids.length) {
  at("values").closest("details").addEventListener("toggle", lastValues);
  poll(async () => {
    await Promise.all([curves(), beside()]);
    lastValues();
  });
}
