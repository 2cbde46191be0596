// The strip of a long recording: its timeline, on which a window is picked; the page then shows that window's player.

class Strip {
  constructor(root, data) {
    Object.assign(this, { root, data, part: {} });
    for (const node of root.querySelectorAll("[data-strip]")) this.part[node.dataset.strip] = node;
    const { part } = this;
    part.back.addEventListener("click", () => this.select(this.selected - 1));
    part.forward.addEventListener("click", () => this.select(this.selected + 1));
    part.plots.addEventListener("keydown", (event) => this.onKey(event));
    this.addPlots();
    document.querySelector('nav[aria-label="Scenes"]')?.remove();
    new ResizeObserver(() => this.draw()).observe(part.plots);
    this.select(Math.max(0, data.windows.findIndex((window) => window.scene)));
  }

  // A place with a legend for each kind of line and spectrum.
  addPlots() {
    this.plots = Object.entries(this.data.tracks).flatMap(([spectrum, track]) =>
      ["probabilities", "energies"].map((kind) => {
        const place = document.createElement("div"), legend = document.createElement("p");
        legend.className = "legend";
        legend.innerHTML = Object.keys(track[kind]).map((name, i) => `<span><svg class="swatch" viewBox="0 0 30 8" aria-hidden="true">
          <line ${lineStyle(i, true)} x1="0" x2="30" y1="4" y2="4"/></svg>${escapeText(name)}</span>`).join("");
        this.part.plots.append(place, legend);
        return { place, spectrum, kind, lines: track[kind] };
      }));
  }

  draw() {
    const { data, plots } = this, width = this.part.plots.clientWidth;
    if (width === this.width) return;
    this.width = width;
    const [first, last] = [data.windows[0].ends[0], data.windows.at(-1).ends[1]];
    const ticks = evenTicks(first, last, width < 500 ? 4 : 8).filter(([x]) => x >= first && x <= last);
    for (const { place, spectrum, kind, lines } of plots) {
      const top = kind === "energies" ? (ys) => Math.max(...ys, 0) || 1 : () => 1;
      drawChart(place, {
        x: [first, last], xticks: ticks, yticks: [0, 0.5, 1].map((y) => [y, String(y)]), xlabel: data.axis,
        ylabel: `${spectrum} ${kind === "energies" ? "energy" : "probability"}`,
        label: `${kind} of ${Object.keys(lines).join(", ")} over time, ${spectrum}`,
        lines: Object.values(lines).flatMap((ys, kind) => pieces(data.places, ys, top(ys)).map((piece) => ({ ...piece, kind }))),
      }, (x) => this.select(this.nearest(x)));
      const svg = place.firstElementChild, { to } = place;
      svg.classList.add("plot");
      const marks = data.windows.map(({ ends, scene }, i) => {
        const stop = Math.min(ends[1], data.windows[i + 1]?.ends[0] ?? ends[1]);
        return scene ? `<line class="has-player" y1="4" y2="4" x1="${to.x(ends[0]) + 1}" x2="${Math.max(to.x(stop) - 1, to.x(ends[0]) + 3)}"/>` : "";
      });
      svg.insertAdjacentHTML("afterbegin", `<rect class="window" y="${PLOT.top}" height="${PLOT.height - PLOT.top - PLOT.bottom}"/>`);
      svg.insertAdjacentHTML("beforeend", marks.join(""));
      for (const node of svg.querySelectorAll(".cursor")) node.remove();
    }
    this.mark();
  }

  // The window whose middle is nearest.
  nearest(x) {
    const apart = this.data.windows.map(({ ends }) => Math.abs((ends[0] + ends[1]) / 2 - x));
    return apart.indexOf(Math.min(...apart));
  }

  onKey(event) {
    const last = this.data.windows.length - 1;
    const wanted = { ArrowLeft: this.selected - 1, ArrowRight: this.selected + 1, Home: 0, End: last }[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    this.select(wanted);
  }

  select(number) {
    const { data, part } = this;
    this.selected = Math.min(Math.max(number, 0), data.windows.length - 1);
    const window = data.windows[this.selected];
    part.text.textContent = this.text(window);
    part.plots.setAttribute("aria-valuenow", this.selected + 1);
    part.plots.setAttribute("aria-valuetext", part.text.textContent);
    for (const [button, end] of [["back", 0], ["forward", data.windows.length - 1]]) part[button].disabled = this.selected === end;
    for (const scene of document.querySelectorAll(".scene")) scene.hidden = scene.id !== `scene-${window.scene}`;
    this.mark();
  }

  // Shades the window in all plots.
  mark() {
    const { ends } = this.data.windows[this.selected];
    for (const { place } of this.plots) {
      const rect = place.querySelector("rect.window");
      if (!rect) continue;
      rect.setAttribute("x", place.to.x(ends[0]));
      rect.setAttribute("width", Math.max(place.to.x(ends[1]) - place.to.x(ends[0]), 2));
    }
  }

  text({ start, stop, ends, scene, found }) {
    const several = found.length > 1;
    const answers = found.map(({ spectrum, guesses, target }) => {
      const best = guesses.map(([name, share]) => `${name} ${share.toFixed(2)}`).join(", ");
      return `${several ? `${spectrum}: ` : ""}${best}${target === guesses[0][0] ? "" : `; maps of ${target}`}`;
    });
    const seconds = this.data.axis === "seconds" ? `, ${ends.map((x) => x.toFixed(2)).join(" to ")} s` : "";
    const where = `Window ${this.selected + 1} of ${this.data.windows.length}, frames ${start} to ${stop - 1}${seconds}: `;
    const rest = scene ? "" : ". Its maps are not on this page: a blue bar marks windows that are; --scenes puts in more.";
    return where + answers.join("; ") + rest;
  }
}

// A line without the places where it has no value, as pieces; values as shares of the highest.
function pieces(xs, ys, top) {
  const found = [];
  for (const [i, y] of ys.entries()) {
    if (y === null) continue;
    if (i === 0 || ys[i - 1] === null) found.push({ xs: [], ys: [] });
    found.at(-1).xs.push(xs[i]);
    found.at(-1).ys.push(y / top);
  }
  return found;
}

if (document.getElementById("strip-data"))
  new Strip(document.getElementById("strip"), JSON.parse(document.getElementById("strip-data").textContent));
