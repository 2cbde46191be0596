// One clip of a scene: its pictures, its charts and its numbers, for one method, class, frame and step.

const INSERTION_FIRST = { deletion: false, insertion: true };
const MEASURES = ["deletion", "insertion"];
const CHANGED = { deletion: "removed", insertion: "shown" };

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
    const { part } = this, where = data.caption ? `${data.caption}: ` : "";
    part.caption.textContent = data.caption;
    part.caption.hidden = !data.caption;
    part["rest-text"].textContent = `${where}${data.curves.length ? "clip, curves and numbers" : "clip and profile"}`;
    this.root.setAttribute("aria-label", data.caption || "clip");
    for (const measure of MEASURES) part[`${measure}-figure`].hidden = !this.curve(measure, null);
    part["seen-figure"].hidden = !data.orders.length;
    part.note.textContent = data.note;
    part.note.hidden = !data.note;
    part.readout.hidden = !data.curves.length;
    part.numbers.innerHTML = this.numbers();
    this.answer();
  }

  // A picture for each method, which chooses the method.
  addTiles(methods, choose) {
    this.tiles = methods.map((method) => [method, clone("tile")]);
    for (const [method, { root }] of this.tiles) root.addEventListener("click", () => choose(method));
    this.part.tiles.append(...this.tiles.map(([, { root }]) => root));
  }

  // What the network said, whether it is right, and which class is explained.
  answer() {
    const { part, data } = this, ranked = data.probabilities, predicted = ranked[0]?.[0];
    const known = data.label !== null && predicted !== undefined, right = predicted === data.label;
    part.answer.hidden = predicted === undefined && data.label === null;
    part.answer.textContent = !known ? (predicted === undefined ? `true class: ${data.label}` : `predicted: ${predicted}`)
      : right ? `✓ right: ${predicted}` : `✗ wrong: predicted ${predicted}, true class ${data.label}`;
    if (known) part.answer.classList.add(right ? "right" : "wrong");
    part.guesses.hidden = !ranked.length;
    for (const [place, [name, probability]] of ranked.entries()) {
      const tags = [name === data.target && "explained", name === data.label && "true class"].filter(Boolean);
      if (place > 2 && !tags.length) continue;
      const item = document.createElement("li");
      item.textContent = [`${name} ${probability.toFixed(3)}`, ...tags].join(" · ");
      item.classList.toggle("explained", name === data.target);
      item.style.setProperty("--share", probability);
      part.guesses.append(item);
    }
  }

  curve(measure, method) {
    return this.data.curves.find((c) => c.measure === measure && (method === null || c.method === method));
  }

  map(choice) {
    const target = choice.class || this.data.target;
    return this.data.maps.find((m) => m.method === choice.method && m.target === target);
  }

  // The place of a method's colour and line; null for controls, which are grey.
  kind(method) {
    return this.data.controls.includes(method) ? null : this.methods.indexOf(method);
  }

  numbers() {
    const rows = [...new Set(this.data.curves.map((c) => c.method))].map((method) => {
      const cells = MEASURES.map((m) => `<td>${this.areaText(m, method)}</td>`);
      const swatch = `<svg class="swatch" viewBox="0 0 30 8" aria-hidden="true"><line ${lineStyle(this.kind(method), true)}
        x1="0" x2="30" y1="4" y2="4"/></svg>`;
      return `<tr data-method="${escapeText(method)}"><th scope="row">${swatch}${escapeText(method)}</th>${cells.join("")}</tr>`;
    });
    if (!rows.length) return "";
    const target = this.data.target === null ? "" : `, class ${escapeText(this.data.target)}`;
    return `<table><caption>area under the curve${target}; this clip alone</caption><thead><tr><th scope="col">map</th>
      <th scope="col">deletion ↓</th><th scope="col">insertion ↑</th></tr></thead><tbody>${rows.join("")}</tbody></table>`;
  }

  // An area under a curve; the best one in bold where methods differ, controls aside.
  areaText(measure, method) {
    const curve = this.curve(measure, method);
    if (!curve) return "";
    const own = this.data.curves.filter((c) => c.measure === measure && this.kind(c.method) !== null).map((c) => c.auc.toFixed(3));
    const text = curve.auc.toFixed(3), best = Math[measure === "deletion" ? "min" : "max"](...own).toFixed(3);
    return new Set(own).size > 1 && text === best && this.kind(method) !== null ? `<b>${text}</b>` : text;
  }

  // Everything that depends on method or class, but not on frame, step or colours.
  drawCharts(choice, pickFrame, pickStep) {
    const { part, data } = this;
    for (const row of part.numbers.querySelectorAll("tr[data-method]"))
      row.classList.toggle("chosen", row.dataset.method === choice.method);
    this.drawProfile(choice, pickFrame);
    for (const measure of MEASURES) {
      const curves = data.curves.filter((c) => c.measure === measure);
      if (!curves.length) continue;
      const scores = curves.flatMap((c) => c.scores);
      const areas = curves.map((c) => `${c.method} ${c.auc.toFixed(3)}`).join(", ");
      const floor = measure === "deletion" ? Math.min(...curves.map((c) => c.scores.at(-1))) : undefined;
      if (floor !== undefined) part.floor.textContent = `, floor ${floor.toFixed(3)}`;
      drawChart(part[measure], {
        x: [0, 1], xticks: [0, 0.25, 0.5, 0.75, 1].map((share) => [share, String(100 * share)]),
        yticks: evenTicks(Math.min(0, ...scores), Math.max(1, ...scores), 4), xlabel: `voxels ${CHANGED[measure]}, %`,
        ylabel: scoreOf(data),
        label: `${data.unit === "probability" ? "Probability" : "Logit"} of ${data.target} against the ${measure} share; areas: ${areas}`,
        floor,
        lines: curves.map((c) => ({ xs: c.fractions, ys: c.scores, kind: this.kind(c.method), strong: c.method === choice.method })),
      }, (x) => pickStep(measure, x));
    }
  }

  drawProfile(choice, pickFrame) {
    const { part, data } = this, map = this.map(choice), last = data.frames.length - 1;
    part.profile.replaceChildren();
    delete part.profile.to;
    if (!map) return;
    const share = data.frames.length / map.profile.length;
    const xs = map.profile.map((_, i) => i * share + (share - 1) / 2), error = map.error?.map((e) => 1.96 * e);
    const ends = map.profile.flatMap((y, i) => [y - (error ? error[i] : 0), y + (error ? error[i] : 0)]);
    drawChart(part.profile, {
      x: [0, last], xticks: frameTicks(last), yticks: evenTicks(Math.min(...ends), Math.max(...ends), 4),
      xlabel: "frame of the clip", ylabel: "mean saliency",
      label: `Mean of each frame, from ${shortNumber(Math.min(...map.profile))} to ${shortNumber(Math.max(...map.profile))}`,
      lines: [{ xs, ys: map.profile, kind: this.kind(choice.method), strong: true, error }],
    }, (x) => pickFrame(Math.round(x)));
  }

  // The line above the profile: the shown frame's mean, and how far it is from the mean over frames, and how sure that is.
  profileText(choice, map) {
    if (!map) return "no map of this class is stored";
    const slice = Math.floor((choice.frame * map.profile.length) / this.data.frames.length);
    const apart = map.profile[slice] - map.profile.reduce((sum, y) => sum + y, 0) / map.profile.length;
    const band = map.error ? `; ${shortNumber(apart)} ± ${shortNumber(1.96 * map.error[slice])} from the mean over frames (95 % over draws of the masks, the band)` : "";
    const unit = map.unit ? `, ${map.unit}` : "";
    return `saliency${unit}, mean of frame ${this.frameName(choice.frame)}: ${Number(map.profile[slice].toPrecision(4))}${band}`;
  }
}
