// The overview: every run of the folder in its round, the newest first, kept up to date.

import { say } from "../page.js";
import { ask, poll } from "./poll.js";
import { alerts, el, gravest, moment, number, progress, put, show, status } from "./words.js";

const place = document.getElementById("rounds");
const form = document.getElementById("choose");
const most = Number(form.dataset.most);
const rows = new Map(); // run id -> the row's parts
let held = new Map(); // run id -> what was told of it last
let edition = "";
let order = "";

function row(id) {
  const parts = {
    box: el("input", { type: "checkbox", name: "run", value: id }),
    link: el("a", { href: `/runs/${id}`, dir: "auto" }),
    stage: el("small", {}),
    state: el("span", {}),
    damage: el("small", { class: "warn" }),
    bar: el("progress", { max: 1 }),
    step: el("small", {}),
    key: el("b", {}),
    label: el("small", {}),
    alerts: el("span", { class: "level" }),
    started: el("td", { class: "whole", "data-label": "Started" }),
  };
  parts.row = el("tr", { "data-run": id },
    el("td", { class: "pick" }, el("label", {}, parts.box, el("span", { class: "hidden" }))),
    el("th", { scope: "row" }, parts.link, " ", parts.stage),
    el("td", { "data-label": "Status" }, el("div", {}, parts.state, parts.damage)),
    el("td", { class: "far", "data-label": "Progress" }, el("div", {}, parts.step, parts.bar)),
    el("td", { "data-label": "Result" }, el("div", {}, parts.key, " ", parts.label)),
    el("td", { class: "counted", "data-label": "Alerts" }, parts.alerts),
    parts.started);
  parts.box.addEventListener("change", choose);
  return parts;
}

function fill(parts, run) {
  const name = run.name.split("/").pop();
  put(parts.link, name);
  put(parts.row.querySelector(".pick span"), `Compare ${run.name}`);
  put(parts.stage, run.stage === name ? "" : run.stage);
  const said = status(run);
  if (parts.said && parts.status !== run.status) say(`${run.name}: ${said}`);
  [parts.said, parts.status] = [said, run.status];
  put(parts.state, said);
  parts.state.className = `state ${run.status}`;
  put(parts.damage, run.damage);
  show(parts.bar, run.step != null && run.steps != null && run.status !== "finished");
  if (run.steps) parts.bar.value = Math.min(1, run.step / run.steps);
  parts.bar.setAttribute("aria-label", `Progress of ${run.name}`);
  put(parts.step, progress(run));
  put(parts.key, run.key?.value ?? "");
  put(parts.label, run.key?.label ?? "");
  put(parts.alerts, alerts(run.alerts));
  parts.alerts.parentNode.dataset.level = gravest(run.alerts);
  put(parts.started, moment(run.started));
  for (const cell of parts.row.querySelectorAll("td[data-label]")) cell.classList.toggle("blank", !cell.textContent.trim());
}

/** Lay the rows out by round again; only when a run came, went, or changed its place. */
function arrange(groups) {
  place.replaceChildren(...groups.map(([name, runs]) => {
    const id = `round-${runs[0].id}`;
    const head = ["Run", "Status", "Progress", "Result", "Alerts", "Started"];
    return el("section", { "aria-labelledby": id },
      el("h2", { id, dir: "auto" }, name || form.dataset.folder),
      el("table", { class: "reflow runs" },
        el("colgroup", {}, ...["pick", ...head.map((each) => each.toLowerCase())].map((each) => el("col", { class: each }))),
        el("thead", {}, el("tr", {}, el("td", { class: "pick" }), ...head.map((each) => el("th", { scope: "col" }, each)))),
        el("tbody", {}, ...runs.map((run) => rows.get(run.id).row))));
  }));
}

function choose() {
  const chosen = form.querySelectorAll("input[name=run]:checked").length;
  const button = document.getElementById("compare");
  button.disabled = chosen < 2 || chosen > most;
  put(document.getElementById("chosen"), chosen === 0 ? `Choose two to ${most} runs to compare.`
    : chosen > most ? `${chosen} runs are chosen; at most ${most} fit.` : `${chosen} chosen.`);
}

poll(async () => {
  const said = await ask("/api/runs", { edition });
  edition = said.edition;
  if (said.whole) held = new Map();
  for (const run of said.runs) held.set(run.id, run);
  const runs = [...held.values()].sort((a, b) => b.begun - a.begun || (a.name < b.name ? -1 : 1));
  const groups = new Map();
  for (const run of runs) {
    if (!groups.has(run.group)) groups.set(run.group, []);
    groups.get(run.group).push(run);
  }
  for (const id of [...rows.keys()]) if (!held.has(id)) rows.delete(id);
  for (const run of said.runs) {
    if (!rows.has(run.id)) rows.set(run.id, row(run.id));
    fill(rows.get(run.id), run);
  }
  const now = JSON.stringify([...groups].map(([name, each]) => [name, each.map((run) => run.id)]));
  if (now !== order) arrange([...groups]);
  order = now;
  show(document.getElementById("none"), runs.length === 0);
  show(form.querySelector(".choose"), runs.length > 1);
  const busy = runs.filter((run) => run.status === "running").length;
  put(document.getElementById("count"), `${number(runs.length)} ${runs.length === 1 ? "run" : "runs"}, ${busy} at work`);
  choose();
});
