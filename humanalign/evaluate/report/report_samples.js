// The browser of samples. What a model wrote enters the page as text nodes only, never as markup.
(() => {
  const PAGE = 5, LONGEST = 800, FIRST = 5;
  const HINT = "Left and right arrow keys turn the page.";

  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };
  const words = (text) => text.match(/\s*(?:[^\s.,;:!?]+|[.,;:!?]+)(?:\s*$)?|\s+/g) || [];

  // The words of `a` and `b` that the other side does not have in this order: two lists of yes/no.
  const differing = (a, b) => {
    const [x, y] = [a, b].map((side) => side.map((word) => word.trim()));
    const n = x.length, m = y.length;
    const gone = x.map(() => true), fresh = y.map(() => true);
    if (Math.max(n, m) > LONGEST) return [x.map(() => false), y.map(() => false)];
    const longest = new Uint16Array((n + 1) * (m + 1)), at = (i, j) => i * (m + 1) + j;
    for (let i = n - 1; i >= 0; i--) for (let j = m - 1; j >= 0; j--)
      longest[at(i, j)] = x[i] === y[j] ? longest[at(i + 1, j + 1)] + 1
        : Math.max(longest[at(i + 1, j)], longest[at(i, j + 1)]);
    for (let i = 0, j = 0; i < n && j < m;) {
      if (x[i] === y[j]) { gone[i++] = false; fresh[j++] = false; }
      else if (longest[at(i + 1, j)] >= longest[at(i, j + 1)]) i++;
      else j++;
    }
    return [gone, fresh];
  };

  // The share of words that the two sides do not have in common, in whatever order: 0 to 1.
  const rewritten = (a, b) => {
    const counts = new Map(), [x, y] = [a, b].map((side) => words(side).map((w) => w.trim()));
    for (const word of x) counts.set(word, (counts.get(word) || 0) + 1);
    let common = 0;
    for (const word of y) {
      const left = counts.get(word) || 0;
      if (left) { common++; counts.set(word, left - 1); }
    }
    return x.length + y.length ? 1 - 2 * common / (x.length + y.length) : 0;
  };

  // A text with its changed words in `tag` and its unsupported spans underlined with their kind.
  const marked = (text, tag, changed, spans) => {
    const paragraph = make("p", { class: "said", dir: "auto" });
    if (!text) paragraph.append(make("i", {}, "(empty)"));
    const cuts = new Set([0, text.length]), stretches = [];
    let place = 0;
    words(text).forEach((word, index) => {
      const start = place + word.length - word.trimStart().length;
      place += word.length;
      const last = stretches[stretches.length - 1];
      if (!changed[index]) return;
      if (last && last[2] === index - 1) { last[1] = place; last[2] = index; }
      else stretches.push([start, place, index]);
    });
    for (const [start, end] of [...stretches, ...spans]) cuts.add(start).add(end);
    const ends = [...cuts].sort((a, b) => a - b);
    for (let i = 1; i < ends.length; i++) {
      const [from, to] = [ends[i - 1], ends[i]], inside = ([a, b]) => a <= from && to <= b;
      let node = text.slice(from, to);
      if (stretches.some(inside)) node = make(tag, {}, node);
      const span = spans.find(inside);
      if (span) {
        node = make("u", { class: "unsupported", title: `${span[2]} without support in the prompt` }, node);
        if (span[1] === to) node.append(make("sup", {}, `${span[2]}?`));
      }
      paragraph.append(node);
    }
    return paragraph;
  };

  const browse = (root, data) => {
    const both = data.sides.length === 2, has = (test) => rows.some(test);
    const rows = data.rows.map(([text, reference, tag, said, scores, cut, spans], place) =>
      ({ text: data.texts[text], reference, tag, said, scores, cut, spans, place }));
    const shared = prefix(data.texts);
    const state = { score: 0, order: both ? "fall" : "place", show: "all", find: "", page: 0 };

    const value = (row, side) => row.scores[side]?.[state.score] ?? null;
    const change = (row) => {
      const [a, b] = [value(row, "before"), value(row, "after")];
      return a === null || b === null ? null : b - a;
    };
    const size = (row) => Math.max(...data.sides.map((side) => (row.said[side] || "").length));
    const keys = {
      fall: (row) => change(row), rise: (row) => negative(change(row)),
      either: (row) => negative(Math.abs(change(row))),
      rewritten: (row) => -rewritten(row.said.before || "", row.said.after || ""),
      high: (row) => negative(value(row, "after")), low: (row) => value(row, "after"),
      long: (row) => -size(row), place: (row) => row.place,
    };
    const negative = (v) => v === null ? null : -v;
    const orders = [
      ...(both ? [["fall", "greatest fall first"], ["rise", "greatest rise first"],
        ["either", "greatest change either way"], ["rewritten", "most rewritten first"]] : []),
      ["high", "highest after first"], ["low", "lowest after first"],
      ["long", "longest answer first"], ["place", "as evaluated"],
    ];
    const tests = {
      all: () => true, up: (row) => change(row) > 0, down: (row) => change(row) < 0,
      unsupported: (row) => Boolean(row.spans.after), cut: (row) => row.cut.includes("after"),
    };
    const shows = () => {
      const better = data.scores[state.score]?.[2];
      const [up, down] = better === "higher" ? ["improved", "got worse"]
        : better === "lower" ? ["got worse", "improved"] : ["rose", "fell"];
      return [["all", "all"], ...(both && data.scores.length ? [["up", up], ["down", down]] : []),
        ...(has((row) => row.spans.after) ? [["unsupported", "unsupported after"]] : []),
        ...(has((row) => row.cut.includes("after")) ? [["cut", "cut off after"]] : [])];
    };

    const status = make("p", { role: "status", class: "status" });
    const list = make("div", { class: "listed" });
    const choice = (label, name, options) => {
      const select = make("select");
      const fill = (found) => {
        select.replaceChildren(...found.map(([key, said]) => new Option(said, key)));
        select.value = state[name];
      };
      fill(options);
      select.addEventListener("change", () => {
        state[name] = name === "score" ? Number(select.value) : select.value;
        state.page = 0;
        if (name === "score") show.fill(shows());
        draw();
      });
      return { label: make("label", {}, `${label} `, select), fill };
    };
    const score = choice("Score", "score", data.scores.map(([, name], place) => [place, name]));
    const order = choice("Order", "order", orders);
    const show = choice("Show", "show", shows());
    const find = make("input", { type: "search", placeholder: "words in any text" });
    find.addEventListener("input", () => { state.find = find.value.toLowerCase(); state.page = 0; draw(); });

    const pagers = [];
    const turn = (by) => { state.page += by; draw(); };
    const pager = (where) => {
      const [back, on] = [make("button", { type: "button" }, "Previous"), make("button", { type: "button" }, "Next")];
      back.addEventListener("click", () => turn(-1));
      on.addEventListener("click", () => turn(1));
      if (where === "below") for (const button of [back, on])
        button.addEventListener("click", () => root.scrollIntoView({ block: "start" }));
      pagers.push([back, on]);
      return make("div", { class: "pager", role: "group", "aria-label": `Pages, ${where} the samples` }, back, on);
    };
    root.addEventListener("keydown", (event) => {
      if (event.target.closest("input, select, [contenteditable]") || event.altKey || event.ctrlKey || event.metaKey) return;
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by && !pagers[0][by < 0 ? 0 : 1].disabled) { event.preventDefault(); turn(by); }
    });

    const article = (row) => {
      const [before, after] = ["before", "after"].map((side) => row.said[side] ?? "");
      const [gone, fresh] = both ? differing(words(before), words(after)) : [[], []];
      const spans = (side) => row.spans[side] || [];
      const side = (name, text, tag, changed) => make("div", { class: name },
        make("h4", {}, name === "before" ? "Before" : "After",
          row.cut.includes(name) ? make("span", {}, " cut off") : ""),
        marked(text, tag, changed, spans(name)));
      const start = row.text.slice(shared).trim() || row.text;
      const prompt = make("details", { class: "prompt" },
        make("summary", { dir: "auto" }, row.tag ? make("b", {}, `${row.tag}: `) : "", start.slice(0, 300)),
        make("p", { class: "said", dir: "auto" }, row.text));
      if (row.reference) prompt.append(make("h4", {}, "Reference"),
        make("p", { class: "said", dir: "auto" }, row.reference));
      const sides = make("div", { class: both ? "sides" : "sides alone" });
      if (both) sides.append(side("before", before, "del", gone));
      sides.append(side("after", after, "ins", fresh));
      const told = (index) => {
        const [a, b] = ["before", "after"].map((s) => row.scores[s]?.[index] ?? null);
        const text = both ? `${said(a)} → ${said(b)}` : said(b);
        return make("span", { dir: "auto", class: index === state.score ? "chosen" : "" },
          `${data.scores[index][1]} `, make("b", {}, text));
      };
      const every = data.scores.map((_, index) => index).sort((a, b) => (b === state.score) - (a === state.score));
      const scores = (some) => make("p", { class: "scores" }, ...some.map(told));
      if (every.length > FIRST) prompt.append(make("h4", {}, "All scores"), scores(every));
      return make("article", {}, make("h3", { class: "hidden" }, `Sample ${row.place + 1}`), prompt, sides,
        scores(every.slice(0, FIRST)));
    };
    const said = (v) => v === null ? "–" : number(v);

    const draw = () => {
      const test = tests[state.show], text = state.find;
      const found = rows.filter((row) => test(row) && (!text ||
        [row.text, row.reference, row.tag, ...Object.values(row.said)].some((t) => t.toLowerCase().includes(text))));
      const key = new Map(found.map((row) => [row, keys[state.order](row)]));
      found.sort((a, b) => (key.get(a) === null) - (key.get(b) === null)
        || key.get(a) - key.get(b) || a.place - b.place);
      const pages = Math.max(1, Math.ceil(found.length / PAGE));
      state.page = Math.min(Math.max(0, state.page), pages - 1);
      const first = state.page * PAGE, shown = found.slice(first, first + PAGE);
      list.replaceChildren(...shown.map(article));
      const all = rows.length < data.total ? `${number(rows.length)} kept of ${number(data.total)}` : number(data.total);
      const among = found.length < rows.length ? ` found among ${all}` : rows.length < data.total ? ` (${all})` : "";
      status.textContent = found.length
        ? `${number(first + 1)} to ${number(first + shown.length)} of ${number(found.length)}${among}`
        : `Nothing found among ${all}`;
      for (const [back, on] of pagers) {
        back.disabled = state.page === 0;
        on.disabled = state.page === pages - 1;
      }
    };

    root.append(
      make("div", { class: "tools", role: "group", "aria-label": "Which samples" },
        ...(data.scores.length ? [score.label] : []), order.label, show.label, make("label", {}, "Find ", find)),
      make("div", { class: "turn" }, status, pager("above")), list, pager("below"),
      make("p", { class: "hint" }, HINT));
    root.hidden = false;
    draw();
  };

  // How many characters all texts begin with, to the end of a line: what asks the same of all.
  const prefix = (texts) => {
    if (texts.length < 2) return 0;
    let length = texts[0].length;
    for (const text of texts) {
      let same = 0;
      while (same < length && text[same] === texts[0][same]) same++;
      length = same;
    }
    return texts[0].lastIndexOf("\n", length - 1) + 1;
  };

  for (const script of document.querySelectorAll("script.samples")) {
    const root = [...document.querySelectorAll(".browser")].find((each) => each.dataset.run === script.dataset.run && each.hidden);
    if (!root) continue;
    browse(root, JSON.parse(script.textContent));
    root.parentElement.querySelector(".pairs")?.classList.add("printed");
  }
})();
