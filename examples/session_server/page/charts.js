"use strict";
// The dashboard's charts: SVG, drawn anew with each sample. A chart has one unit, one axis, and one or two curves.

const WIDTH = 400, HEIGHT = 170, LEFT = 52, RIGHT = 10, TOP = 10, BOTTOM = 24, SECONDS = 120;

const CHARTS = [
  { id: "sessions", title: "Sessions held", unit: "", curves: [{ of: (s) => s.sessions }], least: 10 },
  { id: "hit-ratio", title: "Hit ratio of finds", unit: "%", curves: [{ of: (s) => s.hit_ratio }], least: 100 },
  {
    id: "turnover", title: "Created and expired", unit: "/s", least: 1,
    curves: [{ name: "created", of: (s) => s.created_per_second }, { name: "expired", of: (s) => s.expired_per_second }],
  },
  { id: "finds", title: "Finds", unit: "/s", curves: [{ of: (s) => s.finds_per_second }], least: 1 },
  {
    // From a find in the cache to one whose thread was suspended: only a logarithm shows both.
    id: "latency", title: "Find latency", unit: "µs", isLogarithmic: true,
    curves: [{ name: "median", of: (s) => s.find_median }, { name: "p99", of: (s) => s.find_p99 }],
  },
  { id: "sweep", title: "Last sweep", unit: "µs", curves: [{ of: (s) => s.sweep }], least: 10 },
];

function svg(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function html(name, attributes, text) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Three digits are enough for the eye. */
function short(number) {
  if (number === null || number === undefined) return "–";
  if (number >= 1e6) return `${+(number / 1e6).toPrecision(3)} M`;
  if (number >= 1e4) return `${+(number / 1e3).toPrecision(3)} k`;
  return String(+number.toPrecision(3));
}

/** Steps of 1, 2 or 5 times a power of ten, some four of them up to the greatest value. */
function step(greatest) {
  const rough = greatest / 4, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((digit) => digit * power).find((one) => one >= rough);
}

/** The marks of an axis, and where between bottom (0) and top (1) a value stands. */
function axis(chart, values) {
  if (chart.isLogarithmic) {
    const bottom = Math.floor(Math.log10(Math.max(0.01, Math.min(1, ...values)))), top = Math.ceil(Math.log10(Math.max(10, ...values)));
    const marks = Array.from({ length: top - bottom + 1 }, (_, index) => 10 ** (bottom + index));
    return { marks, place: (value) => Math.max(0, (Math.log10(value) - bottom) / (top - bottom)) };
  }
  const greatest = Math.max(chart.least, ...values), one = step(greatest), count = Math.ceil(greatest / one - 1e-9);
  const marks = Array.from({ length: count + 1 }, (_, index) => index * one);
  return { marks, place: (value) => value / (count * one) };
}

function makeCharts(place) {
  for (const chart of CHARTS) {
    const figure = html("figure", { id: `chart-${chart.id}` });
    const caption = html("figcaption", {});
    caption.append(html("span", {}, chart.title + (chart.unit ? ` (${chart.unit})` : "")), html("span", { class: "now" }));
    figure.append(caption, svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": chart.title }));
    place.append(figure);
  }
}

/** Draws the samples of the last two minutes; the newest is at the right. */
function drawCharts(samples) {
  for (const chart of CHARTS) {
    const figure = document.getElementById(`chart-${chart.id}`);
    drawNow(figure.querySelector(".now"), chart, samples.at(-1));
    drawCurves(figure.querySelector("svg"), chart, samples);
  }
}

function drawNow(place, chart, last) {
  place.replaceChildren();
  chart.curves.forEach((curve, index) => {
    if (index > 0) place.append("  ");
    if (curve.name) place.append(html("span", { class: index ? "key second" : "key" }, `${curve.name} `));
    place.append(html("b", {}, last ? `${short(curve.of(last))}${chart.unit && " " + chart.unit}` : ""));
  });
}

function drawCurves(place, chart, samples) {
  const values = chart.curves.flatMap((curve) => samples.map(curve.of)).filter((value) => value !== null);
  const { marks, place: height } = axis(chart, values);
  const now = samples.at(-1)?.at ?? 0;
  const x = (sample) => WIDTH - RIGHT - ((now - sample.at) / 1000 / SECONDS) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - height(value) * (HEIGHT - TOP - BOTTOM);

  place.replaceChildren();
  for (const mark of marks) {
    place.append(svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(mark), y2: y(mark) }));
    place.append(svg("text", { x: LEFT - 6, y: y(mark) + 4, "text-anchor": "end" }, short(mark)));
  }
  for (let ago = 0; ago <= SECONDS; ago += 30) {
    const at = WIDTH - RIGHT - (ago / SECONDS) * (WIDTH - LEFT - RIGHT);
    place.append(svg("text", { x: at, y: HEIGHT - 6, "text-anchor": ago ? "middle" : "end" }, ago ? `−${ago} s` : "now"));
  }
  chart.curves.forEach((curve, index) => {
    // A gap where there was no find: nothing is drawn that was not measured.
    let path = "", isDrawing = false;
    for (const sample of samples) {
      const value = curve.of(sample), isSeen = value !== null && x(sample) >= LEFT;
      if (isSeen) path += `${isDrawing ? "L" : "M"}${x(sample).toFixed(1)} ${y(value).toFixed(1)}`;
      isDrawing = isSeen;
    }
    place.append(svg("path", { class: index ? "curve second" : "curve", d: path }));
  });
}
