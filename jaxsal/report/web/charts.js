// Line charts as SVG, drawn at the size they are shown at, with a cursor that the pointer can move.

const PLOT = { height: 190, right: 16, top: 10, bottom: 40, letter: 7 };
const DASHES = ["", "7 3", "2 3", "7 3 2 3", "4 2", "1 2"];

function escapeText(text) {
  return String(text).replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

function shortNumber(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 0.001 && size < 10000 ? String(Number(value.toPrecision(3))) : value.toExponential(2);
}

// Even ticks, 1, 2 or 5 times a power of ten apart, that enclose the range.
function evenTicks(low, high, count) {
  const rough = (high - low || Math.abs(high) || 1) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((times) => times * power >= 0.999 * rough);
  const first = Math.floor(low / step + 1e-6), last = Math.max(Math.ceil(high / step - 1e-6), first + 1);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const text = (value) => (decimals > 5 || Math.abs(value) >= 1e5 ? value.toExponential(2) : value.toFixed(decimals));
  return Array.from({ length: last - first + 1 }, (_, i) => [(first + i) * step, text((first + i) * step)]);
}

// What a curve follows, in short.
function scoreOf(data) {
  if (data.target === null) return data.unit;
  return data.unit === "probability" ? `p(${data.target})` : `${data.unit} of ${data.target}`;
}

function frameTicks(last) {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((every) => last / every <= 8) ?? last;
  return Array.from({ length: Math.floor(last / step) + 1 }, (_, i) => [i * step, String(i * step)]);
}

function scales(chart, width) {
  const [x0, x1] = chart.x, [y0, y1] = [chart.yticks[0][0], chart.yticks.at(-1)[0]];
  const left = 28 + PLOT.letter * Math.max(...chart.yticks.map(([, text]) => text.length));
  const across = width - left - PLOT.right, down = PLOT.height - PLOT.top - PLOT.bottom;
  return {
    width, left,
    x: (value) => left + ((value - x0) / (x1 - x0 || 1)) * across,
    y: (value) => PLOT.top + (1 - (value - y0) / (y1 - y0)) * down,
    invert: (share) => x0 + ((share * width - left) / across) * (x1 - x0),
  };
}

function axes(chart, to) {
  const parts = [], right = to.width - PLOT.right, bottom = PLOT.height - PLOT.bottom;
  for (const [value, text] of chart.yticks) {
    const y = to.y(value).toFixed(1);
    parts.push(`<line class="grid" x1="${to.left}" x2="${right}" y1="${y}" y2="${y}"/>`);
    parts.push(`<text x="${to.left - 6}" y="${y}" dy="0.32em" text-anchor="end">${text}</text>`);
  }
  for (const [value, text] of chart.xticks)
    parts.push(`<text x="${to.x(value).toFixed(1)}" y="${bottom + 16}" text-anchor="middle">${text}</text>`);
  const middle = (PLOT.top + bottom) / 2;
  parts.push(`<text x="${(to.left + right) / 2}" y="${PLOT.height - 5}" text-anchor="middle">${escapeText(chart.xlabel)}</text>`);
  parts.push(`<text transform="translate(12 ${middle}) rotate(-90)" text-anchor="middle">${escapeText(chart.ylabel)}</text>`);
  if (chart.floor !== undefined) {
    const y = to.y(chart.floor).toFixed(1);
    parts.push(`<line class="floor" x1="${to.left}" x2="${right}" y1="${y}" y2="${y}"/>`);
  }
  return parts.join("");
}

// The look of a method's line; kind null is a reference, grey and thin.
function lineStyle(kind, strong) {
  const dash = kind === null ? "3 3" : DASHES[kind % DASHES.length];
  const width = strong ? 2.8 : kind === null ? 1.2 : 1.5;
  return `class="line ${kind === null ? "reference" : `kind${kind % DASHES.length}`}" stroke-width="${width}" stroke-dasharray="${dash}"`;
}

// chart: x (range), xticks, yticks [[value, text]], xlabel, ylabel, label (for screen readers), floor,
// lines [{xs, ys, kind, strong, error}].
function drawChart(place, chart, onPick) {
  const to = scales(chart, place.clientWidth || 300);
  const parts = [axes(chart, to)];
  const path = (xs, ys) => xs.map((x, i) => `${to.x(x).toFixed(1)},${to.y(ys[i]).toFixed(1)}`);
  for (const line of chart.lines) {
    if (line.error) {
      const upper = path(line.xs, line.ys.map((y, i) => y + line.error[i]));
      const lower = path(line.xs, line.ys.map((y, i) => y - line.error[i]));
      parts.push(`<polygon class="band kind${line.kind % DASHES.length}" points="${upper.concat(lower.reverse()).join(" ")}"/>`);
    }
    parts.push(`<polyline ${lineStyle(line.kind, line.strong)} points="${path(line.xs, line.ys).join(" ")}"/>`);
  }
  parts.push(`<line class="cursor" y1="${PLOT.top}" y2="${PLOT.height - PLOT.bottom}"/><circle class="cursor" r="4.5"/>`);
  place.innerHTML = `<svg viewBox="0 0 ${to.width} ${PLOT.height}" width="${to.width}" height="${PLOT.height}" role="img"
    aria-label="${escapeText(chart.label)}">${parts.join("")}</svg>`;
  place.to = to;
  const svg = place.firstElementChild;
  const pick = (event) => {
    const box = svg.getBoundingClientRect();
    onPick(to.invert((event.clientX - box.left) / box.width));
  };
  svg.addEventListener("pointerdown", (event) => { svg.setPointerCapture(event.pointerId); pick(event); });
  svg.addEventListener("pointermove", (event) => { if (event.buttons) pick(event); });
}

function moveCursor(place, x, y) {
  if (!place.to) return;
  const [line, dot] = place.querySelectorAll(".cursor");
  for (const end of ["x1", "x2"]) line.setAttribute(end, place.to.x(x));
  dot.setAttribute("cx", place.to.x(x));
  dot.setAttribute("cy", place.to.y(y));
}
