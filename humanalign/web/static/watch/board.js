// What all charts of a page share: the cursor, the zoom, the smoothing, the colours.

import { Chart, dashOf } from "./chart.js";
import { Curve } from "./curve.js";
import { el, put } from "./words.js";

const COLOURS = ["ink", "soft", "rule", "notice", "warning", "danger", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"];
// A drag shorter than this, in pixels, is a click.
const DRAG = 6;
// The widest smoothing, as a share of the steps in view.
const WIDEST = 0.25;

export class Board {
  /** Draws into `place`; `controls` gets the sliders; `refine(low, high)` is asked for finer curves. */
  constructor(place, controls, refine) {
    this.place = place;
    this.refine = refine;
    this.charts = new Map();
    this.alerts = [];
    this.range = null;
    this.step = null;
    this.dragged = null;
    this.order = [];
    this.names = new Map(); // run id -> what it is called, where there are several
    this.pending = false;
    this.colours = {};
    this.observe();
    this.controls(controls);
  }

  /** Lay out the figures for `groups` of metrics; those that are there already keep their data. */
  arrange(groups) {
    const names = groups.flatMap((group) => group.metrics.map((metric) => metric.name)).join("\n");
    if (names === this.arranged) return;
    this.arranged = names;
    const held = this.charts;
    this.charts = new Map();
    this.place.replaceChildren(...groups.map((group) => {
      const figures = group.metrics.map((metric) => {
        const chart = held.get(metric.name) ?? this.chart(metric);
        this.charts.set(metric.name, chart);
        return chart.figure;
      });
      return el("section", { class: "curves" }, el("h2", {}, group.title), el("div", { class: "figures" }, ...figures));
    }));
  }

  chart(metric) {
    const chart = new Chart(this, metric);
    chart.figure.chart = chart;
    this.inView.observe(chart.figure);
    this.resized.observe(chart.canvas);
    this.pointer(chart);
    return chart;
  }

  /** Take a run's curves: whole ones in place of those held, or more points of them. */
  take(id, curves, whole) {
    if (!this.order.includes(id)) this.order.push(id);
    for (const [name, chart] of this.charts) {
      const data = curves[name];
      if (whole && !data) chart.curves.delete(id);
      if (!data) continue;
      const held = chart.curves.get(id);
      if (whole || !held) chart.curves.set(id, new Curve(data));
      else held.append(data);
      chart.describe();
    }
    this.touch();
  }

  /** Take finer curves for the range in view. */
  takeDetail(id, curves) {
    for (const [name, chart] of this.charts) {
      if (curves[name]) chart.details.set(id, new Curve(curves[name]));
    }
    this.touch();
  }

  /** The longest of the curves held, in points. */
  get longest() {
    let most = 0;
    for (const chart of this.charts.values()) {
      for (const curve of chart.curves.values()) most = Math.max(most, curve.length);
    }
    return most;
  }

  /** The first and the last step of all that is held. */
  extent() {
    let [low, high] = [Infinity, -Infinity];
    for (const chart of this.charts.values()) {
      for (const curve of chart.curves.values()) {
        [low, high] = [Math.min(low, curve.x[0]), Math.max(high, curve.lastStep)];
      }
    }
    return low <= high ? [low, high] : [0, 1];
  }

  view() { return this.range ?? (this.whole ??= this.extent()); }

  /** Steps that a smoothed point is the mean of. */
  window() {
    const [low, high] = this.view();
    return (this.smoothing.value / 100) ** 2 * WIDEST * (high - low) + 1;
  }

  /** The colour and the dash of a run's curve. */
  look(id) {
    const place = Math.max(0, this.order.indexOf(id));
    return { colour: this.colours[this.hue(id)], dash: dashOf(place), thin: this.order.length > 1 };
  }

  /** The name of a run's colour. */
  hue(id) { return `c${Math.max(0, this.order.indexOf(id)) % 8 + 1}`; }

  setStep(step) {
    this.step = step;
    this.touch();
  }

  /** Look at the steps from low to high; null: at all of them. */
  zoom(range) {
    this.range = range && range[1] - range[0] >= 1 ? range : null;
    for (const chart of this.charts.values()) chart.details.clear();
    this.touch();
    if (this.range) this.refine(...this.range);
  }

  /** Everything is drawn again at the next frame. */
  touch() {
    this.whole = null;
    for (const chart of this.charts.values()) chart.stale = true;
    this.draw();
  }

  draw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      if (!this.colours.ink) this.readColours();
      for (const chart of this.charts.values()) if (chart.seen && chart.stale) chart.draw();
      this.showControls();
      this.drawn?.();
    });
  }

  observe() {
    this.inView = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        target.chart.seen = isIntersecting;
        if (isIntersecting && target.chart.stale) this.draw();
      }
    }, { rootMargin: "200px" });
    this.resized = new ResizeObserver(() => this.touch());
    const recolour = () => { this.colours = {}; this.touch(); };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
    new MutationObserver(recolour).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  /** Canvas knows no custom properties: each colour is read from an element that wears it. */
  readColours() {
    const probe = el("span", { hidden: true });
    document.body.append(probe);
    for (const name of COLOURS) {
      probe.className = `ink-${name}`;
      this.colours[name] = getComputedStyle(probe).color;
    }
    probe.remove();
  }

  pointer(chart) {
    const { canvas } = chart;
    let from = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      from = event.offsetX;
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      this.step = Math.round(chart.stepAt(event.offsetX));
      this.dragged = from != null && Math.abs(event.offsetX - from) >= DRAG
        ? [chart.stepAt(from), chart.stepAt(event.offsetX)] : null;
      this.touch();
    });
    const end = () => {
      if (this.dragged) this.zoom(this.dragged.map(Math.round).sort((a, b) => a - b));
      from = this.dragged = null;
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", () => { from = this.dragged = null; });
    canvas.addEventListener("pointerleave", () => { if (from == null) this.setStep(null); });
    canvas.addEventListener("dblclick", () => this.zoom(null));
  }

  controls(place) {
    this.smoothing = el("input", { type: "range", min: 0, max: 100, value: 30, id: "smoothing" });
    this.smoothed = el("span", { class: "told" });
    this.slider = el("input", { type: "range", min: 0, max: 1, value: 1, id: "cursor" });
    this.told = el("span", { class: "told" });
    const button = (text, act) => {
      const made = el("button", { type: "button", class: "small" }, text);
      made.addEventListener("click", act);
      return made;
    };
    this.all = button("Whole run", () => this.zoom(null));
    this.smoothing.addEventListener("input", () => this.touch());
    this.slider.addEventListener("input", () => this.setStep(Number(this.slider.value)));
    place.append(
      el("label", { for: "smoothing" }, "Smoothing"), this.smoothing, this.smoothed,
      el("label", { for: "cursor" }, "Step"), this.slider, this.told,
      el("span", { class: "zoom" }, button("Zoom in", () => this.zoomBy(0.5)), button("Zoom out", () => this.zoomBy(2)), this.all));
  }

  /** Zoom about the cursor, or the newest step. */
  zoomBy(factor) {
    const [low, high] = this.view();
    const [first, last] = this.extent();
    const at = this.step ?? high;
    const width = (high - low) * factor;
    if (width >= last - first) return this.zoom(null);
    const from = Math.max(first, Math.min(last - width, at - width * ((at - low) / (high - low || 1))));
    return this.zoom([Math.round(from), Math.round(from + width)]);
  }

  showControls() {
    const [low, high] = this.view();
    const window = this.window();
    put(this.smoothed, window >= 2 ? `mean of ${Math.round(window).toLocaleString("en")} steps` : "none");
    this.smoothing.setAttribute("aria-valuetext", this.smoothed.textContent);
    this.slider.min = low;
    this.slider.max = high;
    if (document.activeElement !== this.slider) this.slider.value = this.step ?? high;
    put(this.told, `${Math.round(this.step ?? high).toLocaleString("en")} of ${Math.round(this.extent()[1]).toLocaleString("en")}`);
    // Never taken away: who pressed it by keyboard keeps the place on the page.
    this.all.setAttribute("aria-disabled", String(this.range == null));
  }
}
