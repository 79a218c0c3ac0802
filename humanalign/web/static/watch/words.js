// Elements and words: everything that comes from a run enters the page as text, never as HTML.

/** An element with attributes and children; a string child is text. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

/** Set a text if it is another one: what has not changed is not touched. */
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Show or hide. */
export function show(node, shown) {
  if (node.hidden === shown) node.hidden = !shown;
}

/** A number as a reader wants it: three digits, a true minus, no exponent if it can be helped. */
export function number(value) {
  if (typeof value !== "number" || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  let text;
  if (value === 0) text = "0";
  else if (size >= 1000) text = Math.round(value).toLocaleString("en");
  else if (size < 0.001) text = value.toExponential(1);
  else if (size < 1) text = value.toFixed(3);
  else text = Number.isInteger(value) ? String(value) : value.toPrecision(3);
  return text.replace(/^-|(?<=e)-/g, "−");
}

/** Seconds in words: "8 s", "3 min", "2 h 5 min", "4 days". */
export function duration(seconds) {
  const s = Math.round(seconds);
  if (s < 60) return `${s}\u00a0s`;
  const minutes = Math.round(s / 60);
  if (minutes < 60) return `${minutes}\u00a0min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours}\u00a0h ${minutes % 60}\u00a0min` : `${hours}\u00a0h`;
  return `${Math.round(hours / 24)}\u00a0days`;
}

/** When something began, as people say it: "12:38", or "20 Nov, 12:38" on another day. */
export function moment(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return "–";
  const clock = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (at.toDateString() === new Date().toDateString()) return clock;
  return `${at.toLocaleDateString("en-GB", { day: "numeric", month: "short" })}, ${clock}`;
}

/** A run's status in words; silence is said with its length. */
export function status(run) {
  const silent = `silent for ${duration(run.age)}`;
  return {
    running: "running",
    finished: run.worked ? `finished after ${duration(run.worked)}` : "finished",
    silent,
    stopped: `stopped: ${silent}`,
    damaged: "damaged",
  }[run.status];
}

/** How far a run is: "step 21 of 40, 1 min left". */
export function progress(run) {
  if (run.step == null) return run.status === "finished" ? "" : "no steps yet";
  const of = run.steps == null ? "" : ` of ${run.steps.toLocaleString("en")}`;
  const left = run.left == null || run.status !== "running" ? "" : `, ${duration(run.left)} left`;
  return `step ${run.step.toLocaleString("en")}${of}${left}`;
}

/** Alerts in words: "2 warnings, 1 danger"; "" where there are none. */
export function alerts(counts) {
  const named = [["danger", "danger", "dangers"], ["warning", "warning", "warnings"], ["notice", "notice", "notices"]];
  return named.filter(([level]) => counts[level])
    .map(([level, one, many]) => `${counts[level]} ${counts[level] === 1 ? one : many}`).join(", ");
}

/** The gravest level there is an alert of, "" for none. */
export function gravest(counts) {
  return ["danger", "warning", "notice"].find((level) => counts[level]) ?? "";
}
