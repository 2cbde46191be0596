// One player for each recorded scene: its spectra side by side, one frame, one method, one class and one step.

const INSERTION_FIRST = { deletion: false, insertion: true };
const MEASURES = ["deletion", "insertion"];

function clone(id) {
  const root = document.getElementById(id).content.firstElementChild.cloneNode(true);
  const part = {};
  for (const node of root.querySelectorAll("[data-is]")) part[node.dataset.is] = node;
  return { root, part };
}

function fillSelect(select, choices) {
  const before = select.value;
  select.replaceChildren(...choices.map(([value, text]) => new Option(text, value)));
  if (choices.some(([value]) => value === before)) select.value = before;
}

class Panel {
  constructor(data, methods, colours) {
    Object.assign(this, clone("panel"), { data, methods, colours });
    const { part } = this;
    part.caption.textContent = data.caption;
    part.caption.hidden = !data.caption;
    part.truth.textContent = data.label === null ? "" : `true class: ${data.label}`;
    part.truth.hidden = data.label === null;
    part.guesses.hidden = !data.probabilities.length;
    for (const [name, probability] of data.probabilities.slice(0, 3)) {
      const item = document.createElement("li");
      item.textContent = `${name} ${probability.toFixed(3)}`;
      item.style.setProperty("--share", probability);
      part.guesses.append(item);
    }
    for (const name of ["over", "clip", "seen"]) Object.assign(part[name], { width: data.width, height: data.height });
    for (const measure of MEASURES) part[`${measure}-figure`].hidden = !this.curve(measure, null);
    part["seen-figure"].hidden = !data.orders.length;
    part.numbers.innerHTML = this.numbers();
  }

  curve(measure, method) {
    return this.data.curves.find((c) => c.measure === measure && (method === null || c.method === method));
  }

  map(choice) {
    const target = choice.class || this.data.target;
    return this.data.maps.find((m) => m.method === choice.method && m.target === target);
  }

  numbers() {
    const rows = [...new Set(this.data.curves.map((c) => c.method))].map((method) => {
      const cells = MEASURES.map((m) => this.curve(m, method)).map((c) => `<td>${c ? c.auc.toFixed(3) : ""}</td>`);
      const swatch = `<svg class="swatch" viewBox="0 0 24 8" aria-hidden="true"><line class="line
        kind${this.kind(method)}" x1="0" x2="24" y1="4" y2="4" stroke-width="2.5"
        stroke-dasharray="${DASHES[this.kind(method) % DASHES.length]}"/></svg>`;
      return `<tr data-method="${escapeText(method)}"><th scope="row">${swatch}${escapeText(method)}</th>${cells.join("")}</tr>`;
    });
    if (!rows.length) return "";
    const target = this.data.target === null ? "" : `, class ${escapeText(this.data.target)}`;
    return `<table><caption>area under the curve${target}</caption><thead><tr><th scope="col">map</th>
      <th scope="col">deletion ↓</th><th scope="col">insertion ↑</th></tr></thead><tbody>${rows.join("")}</tbody></table>`;
  }

  kind(method) {
    return this.methods.indexOf(method);
  }

  // Everything that depends on method, class or colour scale, but not on frame or step.
  drawCharts(choice, limits, pickFrame, pickStep) {
    const { part, data } = this, map = this.map(choice), last = data.frames.length - 1;
    for (const row of part.numbers.querySelectorAll("tr[data-method]"))
      row.classList.toggle("chosen", row.dataset.method === choice.method);
    part.low.textContent = limits ? shortNumber(limits[0]) : "";
    part.high.textContent = limits ? shortNumber(limits[1]) : "";
    part.profile.replaceChildren();
    delete part.profile.to;
    if (map) {
      const share = data.frames.length / map.profile.length;
      const xs = map.profile.map((_, i) => i * share + (share - 1) / 2), error = map.error?.map((e) => 1.96 * e);
      const ends = map.profile.flatMap((y, i) => [y - (error ? error[i] : 0), y + (error ? error[i] : 0)]);
      drawChart(part.profile, {
        x: [0, last], y: [Math.min(...ends), Math.max(...ends)], ticks: [0, Math.round(last / 2), last],
        xlabel: error ? "frame (band: 95 % over draws of masks)" : "frame",
        label: `Mean of each frame, from ${shortNumber(Math.min(...map.profile))} to ${shortNumber(Math.max(...map.profile))}`,
        lines: [{ xs, ys: map.profile, kind: this.kind(choice.method), strong: true, error }],
      }, (x) => pickFrame(Math.round(x)));
    }
    for (const measure of MEASURES) {
      const curves = data.curves.filter((c) => c.measure === measure);
      if (!curves.length) continue;
      const areas = curves.map((c) => `${c.method} ${c.auc.toFixed(3)}`).join(", ");
      drawChart(part[measure], {
        x: [0, 1], y: [0, 1], ticks: [0, 0.5, 1], xlabel: measure === "deletion" ? "share removed" : "share shown",
        label: `Probability of ${data.target} against the ${measure} share; areas: ${areas}`,
        lines: curves.map((c) => ({ xs: c.fractions, ys: c.scores, kind: this.kind(c.method), strong: c.method === choice.method })),
      }, (x) => pickStep(measure, x));
    }
  }

  drawFrame(choice, limits) {
    const { part, data } = this, frame = data.frames[choice.frame], map = this.map(choice);
    this.paint("clip", (out) => out.set(frame), `${data.caption} clip, frame ${choice.frame}`);
    this.paint("over", (out) => {
      if (!map) return out.set(frame);
      const [low, high] = limits, step = (map.high - map.low) / 255;
      this.eachPixel(map.volume, choice.frame, (pixel, place) => {
        const value = map.low + step * map.volume.values[place];
        const shade = 3 * Math.max(0, Math.min(255, Math.round((255 * (value - low)) / (high - low || 1))));
        const grey = 0.299 * frame[pixel] + 0.587 * frame[pixel + 1] + 0.114 * frame[pixel + 2];
        for (let c = 0; c < 3; c++)
          out[pixel + c] = choice.opacity * this.colours[shade + c] + (1 - choice.opacity) * grey;
        out[pixel + 3] = 255;
      });
    }, map ? `${choice.method} map of class ${map.target ?? ""} over ${data.caption} frame ${choice.frame}` : "no map stored");
    part["over-text"].textContent = map ? [choice.method, map.target].filter(Boolean).join(", ") : "no such map stored";
    if (map) moveCursor(part.profile, choice.frame, map.profile[Math.floor((choice.frame * map.profile.length) / data.frames.length)]);
    this.drawSeen(choice);
  }

  drawSeen(choice) {
    const { part, data } = this;
    for (const measure of MEASURES) {
      const curve = this.curve(measure, choice.method), shown = measure === choice.measure && curve;
      part[`${measure}-figure`].classList.toggle("idle", !shown);
      if (shown) moveCursor(part[measure], curve.fractions[choice.step], curve.scores[choice.step]);
    }
    const curve = this.curve(choice.measure, choice.method), baseline = data.baselines[choice.measure];
    part["seen-figure"].hidden = !(curve && curve.order !== null && baseline);
    if (part["seen-figure"].hidden) return;
    const step = Math.min(choice.step, curve.scores.length - 1);
    const order = data.orders[curve.order], frame = data.frames[choice.frame];
    const other = baseline[Math.min(choice.frame, baseline.length - 1)];
    const [from, to] = INSERTION_FIRST[choice.measure] ? [other, frame] : [frame, other];
    this.paint("seen", (out) => this.eachPixel(order, choice.frame, (pixel, place) => {
      for (let c = 0; c < 3; c++) {
        const changed = order.values[place + (order.channels > 1 ? c : 0)] <= step;
        out[pixel + c] = (changed ? to : from)[pixel + c];
      }
      out[pixel + 3] = 255;
    }), `What the network saw at step ${step} of the ${choice.measure}, frame ${choice.frame}`);
    part["seen-text"].textContent = `the network saw: p = ${curve.scores[step].toFixed(3)}`;
  }

  paint(name, fill, label) {
    const canvas = this.part[name], pen = canvas.getContext("2d");
    const picture = pen.createImageData(canvas.width, canvas.height);
    fill(picture.data);
    pen.putImageData(picture, 0, 0);
    canvas.setAttribute("aria-label", label);
  }

  eachPixel(volume, frame, draw) {
    const { width, height } = this.data;
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) draw(4 * (y * width + x), voxel(volume, this.data, frame, y, x));
  }
}
