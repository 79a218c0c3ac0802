// One figure: a metric's curves on a canvas, with axes, alerts, a cursor.

import { logScale, logTicks, range, scale, ticks } from "./axes.js";
import { el, number, put, show } from "./words.js";

const HEIGHT = 150;
const EDGE = { left: 46, right: 6, top: 8, bottom: 20 };
const DASHES = [[], [7, 3], [2, 2.5], [9, 3, 2, 3]];
const FONT = '11px system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif';
// A scale that spans less than this says nothing more by its logarithm.
const LOG_FROM = 20;

export class Chart {
  /** `metric` is {name, title, unit, note}; `board` holds what all charts share. */
  constructor(board, metric) {
    this.board = board;
    this.metric = metric;
    this.curves = new Map(); // run id -> Curve
    this.details = new Map(); // the same, finer, of the range that is zoomed into
    this.log = false;
    this.seen = false;
    this.stale = true;
    this.canvas = el("canvas", { role: "img" });
    this.output = el("output");
    this.switch = el("button", { type: "button", class: "switch", "aria-pressed": "false", hidden: true }, "log");
    this.note = el("small", {}, capital([metric.unit, metric.note].filter(Boolean).join(". ")));
    this.figure = el("figure", { "data-metric": metric.name },
      el("figcaption", {}, el("b", {}, metric.title), this.switch, this.output, this.note), this.canvas);
    this.switch.setAttribute("aria-label", `Logarithmic scale for ${metric.title}`);
    this.switch.addEventListener("click", () => {
      this.log = !this.log;
      this.switch.setAttribute("aria-pressed", String(this.log));
      this.touch();
    });
  }

  /** Draw again at the next frame. */
  touch() {
    this.stale = true;
    this.board.draw();
  }

  /** The curves to draw now: the finer ones while zoomed in, where they have come. */
  shown() {
    return this.board.range && this.details.size ? this.details : this.curves;
  }

  draw() {
    this.stale = false;
    const width = this.canvas.clientWidth;
    if (!width || !this.curves.size) return;
    const ratio = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(HEIGHT * ratio);
    }
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, HEIGHT);
    this.place(width);
    this.axes(pen, width);
    pen.save();
    pen.beginPath();
    pen.rect(EDGE.left - 1, 0, width - EDGE.left - EDGE.right + 2, HEIGHT - EDGE.bottom + 1);
    pen.clip();
    this.alerts(pen);
    let order = 0;
    for (const [id, curve] of this.shown()) this.line(pen, curve, this.board.look(id, order++));
    this.cursor(pen);
    pen.restore();
    this.say();
    this.canvas.dataset.drawn = String([...this.shown().values()].reduce((n, curve) => n + curve.length, 0));
  }

  /** Work out the scales for what is in view. */
  place(width) {
    const [from, to] = this.board.view();
    let [low, high] = [Infinity, -Infinity];
    for (const curve of this.shown().values()) {
      const [first, last] = this.board.range ? curve.within(from, to) : [0, curve.length];
      const [a, b] = curve.extent(first, last, this.log);
      [low, high] = [Math.min(low, a), Math.max(high, b)];
    }
    show(this.switch, this.log || (low > 0 && high > LOG_FROM * low));
    if (!(low <= high)) [low, high] = this.log ? [0.1, 1] : [0, 1];
    const log = this.log && low > 0;
    [this.low, this.high] = range(low, high, log);
    this.x = scale(from, to > from ? to : from + 1, EDGE.left, width - EDGE.right);
    this.y = (log ? logScale : scale)(this.low, this.high, HEIGHT - EDGE.bottom, EDGE.top);
    this.marks = log ? logTicks(this.low, this.high) : ticks(this.low, this.high);
  }

  axes(pen, width) {
    const { rule, soft } = this.board.colours;
    pen.font = FONT;
    pen.lineWidth = 1;
    pen.strokeStyle = rule;
    pen.fillStyle = soft;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const [value, label] of this.marks) {
      const y = Math.round(this.y(value)) + 0.5;
      pen.beginPath();
      pen.moveTo(EDGE.left, y);
      pen.lineTo(width - EDGE.right, y);
      pen.stroke();
      pen.fillText(label, EDGE.left - 6, y);
    }
    const [from, to] = this.board.view();
    pen.textBaseline = "alphabetic";
    pen.textAlign = "left";
    pen.fillText(`step ${Math.ceil(from).toLocaleString("en")}`, EDGE.left, HEIGHT - 5);
    if (to > from) {
      pen.textAlign = "right";
      pen.fillText(Math.floor(to).toLocaleString("en"), width - EDGE.right, HEIGHT - 5);
    }
  }

  line(pen, curve, { colour, dash, thin }) {
    const [first, last] = curve.within(...this.board.view());
    pen.lineJoin = "round";
    pen.strokeStyle = pen.fillStyle = colour;
    if (last - first === 1) {
      pen.beginPath();
      pen.arc(this.x(curve.x[first]), this.y(curve.y[first]), 2.5, 0, 7);
      pen.fill();
      return;
    }
    const window = this.board.window();
    const smooth = window > 1 && last - first > 8;
    if (!thin) {
      pen.globalAlpha = 0.2;
      if (curve.low) this.band(pen, curve, first, last);
      pen.globalAlpha = smooth ? 0.36 : 1;
      if (smooth && !curve.low) this.path(pen, curve, curve.y, first, last, 0.9);
      pen.globalAlpha = 1;
    }
    pen.setLineDash(dash);
    this.path(pen, curve, smooth ? curve.smooth(window) : curve.y, first, last, 1.7);
    pen.setLineDash([]);
  }

  path(pen, curve, values, first, last, width) {
    pen.lineWidth = width;
    pen.beginPath();
    for (let i = first; i < last; i += 1) pen.lineTo(this.x(curve.x[i]), this.y(values[i]));
    pen.stroke();
  }

  /** From the lowest to the highest value of each point that stands for several steps. */
  band(pen, curve, first, last) {
    pen.beginPath();
    for (let i = first; i < last; i += 1) pen.lineTo(this.x(curve.x[i]), this.y(curve.high[i]));
    for (let i = last - 1; i >= first; i -= 1) pen.lineTo(this.x(curve.x[i]), this.y(curve.low[i]));
    pen.fill();
    pen.globalAlpha = 0.3;
    pen.lineWidth = 0.8;
    pen.stroke();
  }

  /** A flag at each alert: bold on the metric that it is about. */
  alerts(pen) {
    for (const alert of this.board.alerts) {
      if (alert.step == null) continue;
      const mine = alert.metric === this.metric.name;
      const x = Math.round(this.x(alert.step)) + 0.5;
      pen.strokeStyle = pen.fillStyle = this.board.colours[alert.level];
      pen.globalAlpha = mine ? 1 : 0.4;
      pen.lineWidth = 1;
      pen.setLineDash([2, 2]);
      pen.beginPath();
      pen.moveTo(x, EDGE.top);
      pen.lineTo(x, HEIGHT - EDGE.bottom);
      pen.stroke();
      pen.setLineDash([]);
      if (mine) {
        pen.beginPath();
        pen.moveTo(x - 5, 1);
        pen.lineTo(x + 5, 1);
        pen.lineTo(x, 9);
        pen.fill();
      }
      pen.globalAlpha = 1;
    }
  }

  cursor(pen) {
    const { step, dragged, colours } = this.board;
    if (dragged) {
      pen.fillStyle = colours.soft;
      pen.globalAlpha = 0.16;
      const [a, b] = dragged.map((each) => this.x(each));
      pen.fillRect(Math.min(a, b), EDGE.top, Math.abs(b - a), HEIGHT - EDGE.bottom - EDGE.top);
      pen.globalAlpha = 1;
    }
    if (step == null) return;
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 0.8;
    pen.beginPath();
    pen.moveTo(this.x(step), EDGE.top);
    pen.lineTo(this.x(step), HEIGHT - EDGE.bottom);
    pen.stroke();
    let order = 0;
    for (const [id, curve] of this.shown()) {
      const at = curve.nearest(step);
      pen.fillStyle = this.board.look(id, order++).colour;
      pen.beginPath();
      pen.arc(this.x(curve.x[at]), this.y(curve.y[at]), 3.2, 0, 7);
      pen.fill();
    }
  }

  /** The value under the cursor, or the last one, in the caption. */
  say() {
    const told = [...this.shown()].map(([id, curve]) => {
      const at = this.board.step == null ? curve.length - 1 : curve.nearest(this.board.step);
      const spread = curve.low && curve.high[at] > curve.low[at] ? ` (${number(curve.low[at])} to ${number(curve.high[at])})` : "";
      return [id, number(curve.y[at]) + (this.curves.size === 1 ? spread : "")];
    });
    if (this.output.children.length !== told.length) {
      this.output.replaceChildren(...told.map(([id]) => el("span", { class: `ink-${this.board.hue(id)}` })));
    }
    told.forEach(([, text], i) => put(this.output.children[i], text));
  }

  /** The picture in words, for who does not see it. */
  describe() {
    const runs = [...this.curves].map(([id, curve]) => `${this.board.names.get(id) ?? ""} ${number(curve.y[0])} at step ${curve.x[0]}, ${number(curve.last)} at step ${curve.lastStep}`);
    const label = `${this.metric.title}: ${runs.join("; ")}`;
    if (this.canvas.getAttribute("aria-label") !== label) this.canvas.setAttribute("aria-label", label);
  }

  /** The step under a place of the canvas. */
  stepAt(x) {
    const [from, to] = this.board.view();
    const width = this.canvas.clientWidth;
    return Math.min(to, Math.max(from, scale(EDGE.left, width - EDGE.right, from, to)(x)));
  }
}

const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

/** The dash of the curve in this place of a legend. */
export const dashOf = (place) => DASHES[place % DASHES.length];
