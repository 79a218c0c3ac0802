// Scales and ticks of a curve: round numbers, linear or logarithmic.

/** A function from a to b onto start to end. */
export function scale(a, b, start, end) {
  const slope = (end - start) / (b - a || 1);
  return (value) => start + (value - a) * slope;
}

/** The same over the logarithm; a and b are above 0. */
export function logScale(a, b, start, end) {
  const linear = scale(Math.log(a), Math.log(b), start, end);
  return (value) => linear(Math.log(Math.max(value, Number.MIN_VALUE)));
}

/** About `count` round numbers inside low..high with labels, all to the same digit. */
export function ticks(low, high, count = 4) {
  const rough = (high - low) / count;
  if (!(rough > 0)) return [];
  const power = Math.floor(Math.log10(rough));
  const [times, digits] = [[1, 0], [2, 0], [2.5, 1], [5, 0], [10, -1]]
    .find(([each]) => each * 10 ** power >= rough * (1 - 1e-9));
  const step = times * 10 ** power;
  const places = Math.max(0, digits - power);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i <= high / step + 1e-9; i += 1) {
    found.push([i * step, label(i * step, places)]);
  }
  return found;
}

/** The decades inside low..high, with 2 and 5 between them where there is room. */
export function logTicks(low, high) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const within = last - first <= 3 ? [1, 2, 5] : [1];
  const every = Math.ceil((last - first) / 6) || 1;
  const found = [];
  for (let power = first; power <= last; power += every) {
    for (const times of within) {
      const value = times * 10 ** power;
      if (value >= low * 0.999 && value <= high * 1.001) found.push([value, label(value, Math.max(0, -power))]);
    }
  }
  return found;
}

/** The range to draw: what almost reaches zero shows it, and there is a little room. */
export function range(low, high, log) {
  if (log) return low < high ? [low / 1.1, high * 1.1] : [low / 2, high * 2];
  const bottom = low > 0 && low < 0.35 * high ? 0 : low;
  if (high - bottom <= 1e-12 * Math.max(1, Math.abs(high))) {
    return [bottom - 0.5 * Math.max(Math.abs(bottom), 1e-3), high + 0.5 * Math.max(Math.abs(high), 1e-3)];
  }
  const room = 0.05 * (high - bottom);
  return [bottom ? bottom - room : 0, high + room];
}

function label(value, places) {
  if (value === 0) return "0";
  const text = places > 4 || Math.abs(value) >= 1e7 ? value.toExponential(0)
    : value.toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places });
  return text.replace(/^-|(?<=e)-/g, "−");
}
