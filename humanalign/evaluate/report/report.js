"use strict";
// Without this script the page is whole; with it curves have a cursor and commands can be copied.
const number = (v) => {
  const size = Math.abs(v);
  const text = Number.isInteger(v) || size >= 1000 ? Math.round(v).toLocaleString("en-US")
    : size >= 1 ? v.toPrecision(3) : size < 0.00001 ? v.toExponential(1) : size < 0.001 ? v.toFixed(5) : v.toFixed(3);
  return text.replaceAll("-", "−");
};

(() => {
  const data = JSON.parse(document.getElementById("curves").textContent);

  const nearest = (points, step) => {
    let low = 0, high = points.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (points[middle][0] < step) low = middle + 1; else high = middle;
    }
    const before = points[Math.max(0, low - 1)];
    return Math.abs(before[0] - step) <= Math.abs(points[low][0] - step) ? before : points[low];
  };

  // Where a point is drawn: the line in the picture has the same points in the same order.
  const place = (curve, index) => {
    if (!curve.line) return [curve.dot.getAttribute("cx"), curve.dot.getAttribute("cy")];
    const { x, y } = curve.line.points.getItem(index);
    return [x, y];
  };

  const cursor = (group) => {
    const curves = [...group.querySelectorAll("figure")].map((figure) => ({
      points: data[group.dataset.run][figure.dataset.curve],
      svg: figure.querySelector("svg"),
      line: figure.querySelector(".raw") || figure.querySelector(".line"),
      dot: figure.querySelector(".dot"),
      mark: figure.querySelector(".cursor"),
      output: figure.querySelector("output"),
    })).filter((curve) => curve.points && curve.mark);
    if (!curves.length) return;
    const all = [...new Set(curves.flatMap((c) => c.points.map((p) => p[0])))].sort((a, b) => a - b);
    if (all.length < 2) return;

    const label = document.createElement("label");
    label.className = "step";
    const said = document.createElement("span");
    const slider = document.createElement("input");
    slider.type = "range";
    slider.min = 0;
    slider.max = all.length - 1;
    slider.value = all.length - 1;
    label.append(said, slider);
    group.prepend(label);

    const show = (index) => {
      const step = all[index];
      slider.value = index;
      slider.setAttribute("aria-valuetext", `step ${step}: ` + curves.map((curve) =>
        `${curve.svg.closest("figure").querySelector("b").textContent} ${number(nearest(curve.points, step)[1])}`).join(", "));
      said.textContent = `Step ${step} of ${all[all.length - 1]}`;
      for (const curve of curves) {
        const point = nearest(curve.points, step), [at, value] = point;
        const [x, y] = place(curve, curve.points.indexOf(point));
        curve.mark.setAttribute("visibility", "visible");
        curve.mark.querySelector("line").setAttribute("x1", x);
        curve.mark.querySelector("line").setAttribute("x2", x);
        curve.mark.querySelector("circle").setAttribute("cx", x);
        curve.mark.querySelector("circle").setAttribute("cy", y);
        curve.output.textContent = number(value) + (at === step ? "" : ` (step ${at})`);
      }
    };
    slider.addEventListener("input", () => show(Number(slider.value)));
    for (const curve of curves) {
      curve.svg.addEventListener("pointermove", (event) => {
        const box = curve.svg.getBoundingClientRect();
        const x = (event.clientX - box.left) * curve.svg.viewBox.baseVal.width / box.width;
        let closest = 0;
        curve.points.forEach((_, index) => {
          if (Math.abs(place(curve, index)[0] - x) < Math.abs(place(curve, closest)[0] - x)) closest = index;
        });
        show(all.indexOf(curve.points[closest][0]));
      });
    }
    show(all.length - 1);
  };
  document.querySelectorAll(".curves").forEach(cursor);

  // A command beside a button that copies it; without a clipboard it is selected instead.
  for (const command of document.querySelectorAll(".command")) {
    const code = command.querySelector("code"), button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      getSelection().selectAllChildren(code);
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 2000);
      } catch { button.textContent = "Selected"; }
    });
    command.append(button);
  }

  addEventListener("beforeprint", () => document
    .querySelectorAll(".alerts details, details.attacks, details.examples, details.found")
    .forEach((details) => { details.open = true; }));
})();
