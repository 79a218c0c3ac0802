// One run's page: its curves as they grow, alerts, samples, settings, and the machine's load.

import { say } from "../page.js";
import { Board } from "./board.js";
import { ask, poll } from "./poll.js";
import { article, prepend } from "./sample.js";
import { alerts, duration, el, gravest, moment, number, progress, put, show, status } from "./words.js";

const main = document.getElementById("run");
const id = main.dataset.run;
const here = `/api/runs/${id}`;
const at = (name) => document.getElementById(name);
// When so many points were added one by one, the curves are asked for again, thinned.
const MOST_POINTS = 1200;
const POINTS = 400;
const FILES = ["rollouts.jsonl", "samples.jsonl"];

const board = new Board(at("curves"), at("controls"), async (low, high) => {
  const view = await ask(`${here}/between`, { low, high, points: 2 * POINTS });
  if (board.range?.[0] === low) board.takeDetail(id, view.curves);
});
let place = { edition: "", after: 0 };
const read = Object.fromEntries(FILES.map((file) => [file, { edition: "", after: 0 }]));
const last = { status: "", alerts: null, static: "" };

async function curves() {
  const fresh = board.longest > MOST_POINTS ? {} : place;
  const view = await ask(`${here}/metrics`, { ...fresh, points: POINTS });
  place = { edition: view.edition, after: view.offset };
  if (view.whole) board.arrange(view.groups);
  const unknown = Object.keys(view.curves).some((name) => !board.charts.has(name));
  if (unknown && !view.whole) { place = { edition: "", after: 0 }; return curves(); }
  if (view.whole || Object.keys(view.curves).length) {
    board.take(id, view.curves, view.whole);
    table(view.holes);
  }
  show(at("controls"), board.charts.size > 0);
  const holes = Object.entries(view.holes).map(([name, n]) => `${name} was no finite number in ${n} ${n === 1 ? "step" : "steps"}`);
  if (view.broken) holes.push(`${view.broken} ${view.broken === 1 ? "line" : "lines"} of metrics.jsonl could not be read and ${view.broken === 1 ? "is" : "are"} left out`);
  note("holes", holes.length ? `${holes.join("; ")}.` : "");
  return null;
}

/** The last value of each metric, for who does not look at curves. */
function table() {
  const body = at("values");
  if (!body.closest("details").open) return;
  body.replaceChildren(...[...board.charts.values()].filter((chart) => chart.curves.size).map((chart) => {
    const [curve] = chart.curves.values();
    const [low, high] = curve.extent(0, curve.length);
    const cells = [curve.last, curve.lastStep, low, high].map((value) => el("td", { class: "n" }, number(value)));
    return el("tr", {}, el("th", { scope: "row" }, chart.metric.title), ...cells);
  }));
}

async function state() {
  const run = await ask(here);
  const said = status(run);
  if (last.status && last.status !== run.status) say(said);
  last.status = run.status;
  put(at("state"), said);
  at("state").className = `state ${run.status}`;
  put(at("progress"), progress(run));
  show(at("bar"), run.step != null && run.steps != null && run.status !== "finished");
  if (run.steps) at("bar").value = Math.min(1, run.step / run.steps);
  note("damage", run.damage);
  put(at("key"), run.key ? run.key.value : "–");
  put(at("key-label"), run.key ? run.key.label : "key number");
  put(at("pace"), run.pace == null ? "–" : `${number(run.pace)} s`);
  put(at("started"), moment(run.started));
  put(at("alert-count"), alerts(run.alerts) || "none");
  at("alert-count").parentNode.dataset.level = gravest(run.alerts);
  raise(run.shown);
  split(run.split);
  const fixed = JSON.stringify([run.settings, run.numbers, run.settings_said]);
  if (fixed !== last.static) lists(run);
  last.static = fixed;
}

function raise(shown) {
  const now = JSON.stringify(shown);
  if (now === last.alerts) return;
  if (last.alerts && shown.length) say(`New alert: ${shown.at(-1).sentence}`);
  last.alerts = now;
  board.alerts = shown;
  board.touch();
  show(at("alerts"), shown.length > 0);
  at("alert-list").replaceChildren(...[...shown].reverse().map((alert) => el("li", { class: "alert", "data-level": alert.level },
    el("p", { class: "scores" }, el("b", { class: "level" }, alert.level),
      ...[alert.step == null ? "" : `Step ${alert.step}`, alert.rule.replaceAll("_", " "),
        alert.action === "stop" ? "training was stopped" : alert.action === "back" ? "went back to the best checkpoint" : ""]
        .filter(Boolean).map((each) => el("span", {}, each))),
    el("p", { dir: "auto" }, alert.sentence),
    alert.samples.length ? el("details", {}, el("summary", {}, alert.samples.length === 1 ? "1 sample that shows it" : `${alert.samples.length} samples that show it`),
      ...alert.samples.map(article)) : null)));
}

function split(seconds) {
  const whole = seconds.step ?? 0;
  const parts = Object.entries(seconds).filter(([name]) => name !== "step");
  const rest = whole - parts.reduce((sum, [, each]) => sum + each, 0);
  if (rest > 0.005 * whole) parts.push(["the rest", rest]);
  show(at("clock"), parts.length > 0 && whole > 0);
  if (!whole) return;
  at("split").replaceChildren(...parts.map(([name, each], i) => {
    const made = el("span", { class: `part part-${i % 5 + 1}`, title: name });
    made.style.flexGrow = String(each / whole);
    return made;
  }));
  at("split-words").replaceChildren(...parts.map(([name, each], i) => el("li", {}, el("i", { class: `part part-${i % 5 + 1}` }),
    `${name} ${number(each)} s, ${Math.round(100 * each / whole)} %`)));
}

function lists(run) {
  note("settings-said", run.settings_said);
  const rows = (pairs) => pairs.map(([key, value]) => el("tr", {}, el("th", { scope: "row" }, key), el("td", { dir: "auto" }, value)));
  at("settings").replaceChildren(...rows(run.settings));
  at("numbers").replaceChildren(...rows(run.numbers));
  show(at("final"), run.numbers.length > 0);
}

async function samples() {
  for (const file of FILES) {
    const found = await ask(`${here}/samples`, { file, ...read[file] });
    const list = at(file === FILES[0] ? "rollouts" : "samples");
    if (found.fresh && read[file].edition !== found.edition) list.replaceChildren();
    if (found.rows.length && (!found.fresh || read[file].edition !== found.edition)) prepend(list, found.rows);
    read[file] = { edition: found.edition, after: found.offset };
    show(list.closest("section"), list.children.length > 0);
  }
}

async function machine() {
  const load = await ask("/api/machine");
  const gigabytes = (bytes) => (bytes / 2 ** 30).toFixed(1);
  const rows = [
    ["Processors", `${Math.round(load.cpu)} % of ${load.cores}`, load.cpu / 100],
    ["Memory", `${gigabytes(load.memory.used)} of ${gigabytes(load.memory.total)} GB`, load.memory.used / load.memory.total],
    ...load.gpus.flatMap((gpu) => [
      [gpu.name, `${Math.round(gpu.busy)} %`, gpu.busy / 100],
      ["Its memory", `${gigabytes(gpu.used)} of ${gigabytes(gpu.total)} GB`, gpu.used / gpu.total]]),
  ];
  if (load.load != null) rows.push(["Waiting to run", `${number(load.load)} on average`, null]);
  at("machine").replaceChildren(...rows.map(([name, text, share]) => el("div", {}, el("dt", {}, name),
    el("dd", {}, text, share == null ? null : el("progress", { max: 1, value: share, "aria-label": name })))));
}

function note(name, text) {
  put(at(name), text);
  show(at(name), Boolean(text));
}

board.drawn = () => {
  if (!board.longest || performance.getEntriesByName("curves").length) return;
  performance.mark("curves");
};
at("values").closest("details").addEventListener("toggle", table);
poll(async () => {
  await curves();
  await Promise.all([state(), samples(), machine()]);
});
