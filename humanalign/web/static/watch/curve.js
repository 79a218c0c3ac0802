// The data of one curve: appended to as a run goes on, smoothed, looked up by step.

/** A run's curve of one metric. `low` and `high` are there where a point stands for several steps. */
export class Curve {
  constructor(data) {
    this.x = data.x;
    this.y = data.y;
    this.low = data.low ?? null;
    this.high = data.high ?? null;
    this.smoothed = null;
  }

  append(data) {
    if (data.low && !this.low) [this.low, this.high] = [[...this.y], [...this.y]];
    this.x.push(...data.x);
    this.y.push(...data.y);
    if (this.low) {
      this.low.push(...(data.low ?? data.y));
      this.high.push(...(data.high ?? data.y));
    }
    this.smoothed = null;
  }

  get length() { return this.x.length; }
  get last() { return this.y[this.y.length - 1]; }
  get lastStep() { return this.x[this.x.length - 1]; }

  /** The place of the point nearest to a step. */
  nearest(step) {
    const after = firstFrom(this.x, step);
    if (after === 0) return 0;
    if (after === this.x.length) return after - 1;
    return step - this.x[after - 1] <= this.x[after] - step ? after - 1 : after;
  }

  /** [first, last) of the points inside low..high and one on either side, so that lines go on. */
  within(low, high) {
    return [Math.max(0, firstFrom(this.x, low) - 1), Math.min(this.x.length, firstFrom(this.x, high) + 1)];
  }

  /** The lowest and the highest value of the points [first, last); only those above 0 for `log`. */
  extent(first, last, log) {
    let [low, high] = [Infinity, -Infinity];
    for (let i = first; i < last; i += 1) {
      const [a, b] = this.low ? [this.low[i], this.high[i]] : [this.y[i], this.y[i]];
      if (a < low && (!log || a > 0)) low = a;
      if (b > high) high = b;
    }
    return [low, high];
  }

  /** The centred mean over `window` steps, over those that there are at the ends. */
  smooth(window) {
    if (this.smoothed?.window === window) return this.smoothed.values;
    const { x, y } = this;
    const values = new Float64Array(x.length);
    const half = window / 2;
    let [from, to, sum, weight] = [0, 0, 0, 0];
    // A point weighs as many steps as it stands for: old ones were thinned, new ones were not.
    const weights = x.map((_, i) => ((x[Math.min(i + 1, x.length - 1)] - x[Math.max(i - 1, 0)]) / 2) || 1);
    for (let i = 0; i < x.length; i += 1) {
      while (to < x.length && x[to] <= x[i] + half) { sum += y[to] * weights[to]; weight += weights[to]; to += 1; }
      while (x[from] < x[i] - half) { sum -= y[from] * weights[from]; weight -= weights[from]; from += 1; }
      values[i] = to - from <= 1 ? y[i] : sum / weight;
    }
    this.smoothed = { window, values };
    return values;
  }
}

function firstFrom(x, step) {
  let [low, high] = [0, x.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle] < step) low = middle + 1; else high = middle;
  }
  return low;
}
