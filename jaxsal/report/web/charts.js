// Line charts as SVG, with a cursor that the pointer can move.

const PLOT = { width: 300, height: 170, left: 54, right: 8, top: 8, bottom: 34 };
const DASHES = ["", "7 3", "2 3", "7 3 2 3", "4 2", "1 2"];

function escapeText(text) {
  return String(text).replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

function shortNumber(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 0.001 && size < 10000 ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}

function scales(chart) {
  const [x0, x1] = chart.x, [y0, y1] = chart.y;
  const width = PLOT.width - PLOT.left - PLOT.right, height = PLOT.height - PLOT.top - PLOT.bottom;
  return {
    x: (value) => PLOT.left + ((value - x0) / (x1 - x0 || 1)) * width,
    y: (value) => PLOT.top + (1 - (value - y0) / (y1 - y0 || 1)) * height,
    invert: (share) => x0 + ((share * PLOT.width - PLOT.left) / width) * (x1 - x0),
  };
}

function axes(chart, to) {
  const parts = [];
  for (const value of [chart.y[0], (chart.y[0] + chart.y[1]) / 2, chart.y[1]]) {
    const y = to.y(value).toFixed(1);
    parts.push(`<line class="grid" x1="${PLOT.left}" x2="${PLOT.width - PLOT.right}" y1="${y}" y2="${y}"/>`);
    parts.push(`<text x="${PLOT.left - 5}" y="${y}" dy="0.32em" text-anchor="end">${shortNumber(value)}</text>`);
  }
  chart.ticks.forEach((value, i) => {
    const anchor = i === chart.ticks.length - 1 ? "end" : i ? "middle" : "start";
    const y = PLOT.height - PLOT.bottom + 14;
    parts.push(`<text x="${to.x(value).toFixed(1)}" y="${y}" text-anchor="${anchor}">${shortNumber(value)}</text>`);
  });
  const middle = (PLOT.left + PLOT.width - PLOT.right) / 2;
  parts.push(`<text x="${middle}" y="${PLOT.height - 5}" text-anchor="middle">${escapeText(chart.xlabel)}</text>`);
  return parts.join("");
}

// chart: x, y (ranges), ticks, xlabel, label (for screen readers), lines [{xs, ys, kind, strong, error}].
function drawChart(place, chart, onPick) {
  const to = scales(chart);
  const parts = [axes(chart, to)];
  const path = (xs, ys) => xs.map((x, i) => `${to.x(x).toFixed(1)},${to.y(ys[i]).toFixed(1)}`);
  for (const line of chart.lines) {
    if (line.error) {
      const upper = path(line.xs, line.ys.map((y, i) => y + line.error[i]));
      const lower = path(line.xs, line.ys.map((y, i) => y - line.error[i]));
      parts.push(`<polygon class="band kind${line.kind}" points="${upper.concat(lower.reverse()).join(" ")}"/>`);
    }
    const dash = DASHES[line.kind % DASHES.length], width = line.strong ? 2.6 : 1.3;
    parts.push(`<polyline class="line kind${line.kind}" stroke-width="${width}" stroke-dasharray="${dash}"
      points="${path(line.xs, line.ys).join(" ")}"/>`);
  }
  parts.push(`<line class="cursor" y1="${PLOT.top}" y2="${PLOT.height - PLOT.bottom}"/><circle class="cursor" r="4"/>`);
  place.innerHTML = `<svg viewBox="0 0 ${PLOT.width} ${PLOT.height}" role="img"
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
