// How long a person worked on a task: time with the page in sight and something done within a
// minute, in all and for each card. A hint beside the server's own times.

const IDLE = 60_000;
const TICK = 500;
const SIGNS = ["pointermove", "pointerdown", "keydown", "scroll", "wheel", "touchmove"];

/** Counts active and dwell seconds from ticks; it knows no page, so that it can be tried without. */
export class Watch {
  constructor(earlier = {}) {
    this.active = (earlier.active ?? 0) * 1000;
    this.dwell = new Map(Object.entries(earlier.dwell ?? {}).map(([card, s]) => [card, s * 1000]));
    this.changes = earlier.changes ?? 0;
    this.touched = null;
    this.ticked = null;
  }

  /** The person did something at `now` (milliseconds). */
  touch(now) {
    this.touched = now;
  }

  /** Time passed up to `now`: counted if the page was visible and the person not idle. */
  tick(now, visible, card) {
    const passed = this.ticked === null ? 0 : now - this.ticked;
    this.ticked = now;
    // A gap much longer than the tick means that the machine slept.
    if (!visible || passed > 4 * TICK || this.touched === null || now - this.touched > IDLE) return;
    this.active += passed;
    if (card) this.dwell.set(card, (this.dwell.get(card) ?? 0) + passed);
  }

  /** {"active": s, "dwell": {"A": s}, "changes": n} */
  read() {
    const dwell = [...this.dwell].map(([card, ms]) => [card, seconds(ms)]);
    return { active: seconds(this.active), dwell: Object.fromEntries(dwell), changes: this.changes };
  }
}

function seconds(ms) {
  return Math.round(ms / 100) / 10;
}

/** Watch a task; what was counted before a reload goes on. */
export function watch(sheet, signal) {
  const field = sheet.form.elements.timing;
  const counted = new Watch(field.value ? JSON.parse(field.value) : {});
  const attended = attention(sheet, signal);
  const touch = () => counted.touch(performance.now());
  for (const sign of SIGNS) {
    addEventListener(sign, touch, { signal, passive: true, capture: true });
  }
  touch();
  const earlier = counted.changes;
  const timer = setInterval(() => {
    counted.tick(performance.now(), document.visibilityState === "visible", attended());
  }, TICK);
  signal.addEventListener("abort", () => clearInterval(timer));
  return () => {
    counted.changes = earlier + sheet.changes;
    field.value = JSON.stringify(counted.read());
  };
}

/** The card a person looks at: the last one pointed at or focused, if in sight, else the largest. */
function attention(sheet, signal) {
  const seen = new Map();
  let chosen = null;
  const choose = (event) => { chosen = event.target.closest?.(".answer") ?? chosen; };
  sheet.form.addEventListener("pointerover", choose, { signal });
  sheet.form.addEventListener("focusin", choose, { signal });
  const steps = [0, 0.25, 0.5, 0.75, 1];
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) seen.set(entry.target, entry.intersectionRect.height);
  }, { threshold: steps });
  for (const card of sheet.cards) observer.observe(card);
  signal.addEventListener("abort", () => observer.disconnect());
  return () => {
    if (chosen && seen.get(chosen)) return chosen.dataset.letter;
    const [largest, height] = [...seen].sort((one, other) => other[1] - one[1])[0] ?? [];
    return height ? largest.dataset.letter : "";
  };
}
