// The controls of a scene, and the start of the page.

class Scene {
  constructor(data, panels, colours) {
    Object.assign(this, clone("scene"), { colours });
    const methods = [...new Set(panels.flatMap((p) => [...p.maps, ...p.curves].map((entry) => entry.method)))];
    this.panels = panels.map((panel) => new Panel(panel, methods, colours));
    this.length = panels[0].frames.length;
    this.choice = { frame: 0, opacity: 0.6, step: 0, measure: "deletion", scale: "method", method: "", class: "" };
    const { part } = this;
    part.name.textContent = data.name;
    part.name.hidden = !data.name;
    part.panels.append(...this.panels.map((panel) => panel.root));
    part.panels.classList.toggle("pair", panels.length > 1);
    part.frame.max = this.length - 1;
    const drawn = methods.filter((method) => panels.some((p) => p.maps.some((map) => map.method === method)));
    fillSelect(part.method, drawn.map((method) => [method, method]));
    part["curve-controls"].hidden = !panels.some((panel) => panel.curves.length);
    this.listen();
    this.choose({ method: drawn[0] });
  }

  listen() {
    const { part } = this, steps = { back: -1, forward: 1 };
    for (const [name, step] of Object.entries(steps))
      part[name].addEventListener("click", () => this.stop() || this.goTo(this.choice.frame + step));
    part.play.addEventListener("click", () => (this.timer ? this.stop() : this.play()));
    part.speed.addEventListener("change", () => this.timer && (this.stop(), this.play()));
    part.frame.addEventListener("input", () => this.stop() || this.goTo(Number(part.frame.value)));
    for (const name of ["method", "class", "scale", "measure"])
      part[name].addEventListener("change", () => this.choose({ [name]: part[name].value }));
    part.opacity.addEventListener("input", () => this.choose({ opacity: part.opacity.value / 100 }));
    part.step.addEventListener("input", () => this.choose({ step: Number(part.step.value) }));
    this.root.addEventListener("keydown", (event) => this.onKey(event));
  }

  onKey(event) {
    if (/^(INPUT|SELECT|BUTTON)$/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
    const actions = {
      " ": () => (this.timer ? this.stop() : this.play()),
      ArrowLeft: () => this.stop() || this.goTo(this.choice.frame - 1),
      ArrowRight: () => this.stop() || this.goTo(this.choice.frame + 1),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }

  play() {
    const { part } = this;
    this.timer = setInterval(() => this.goTo((this.choice.frame + 1) % this.length), 1000 / Number(part.speed.value));
    part.play.textContent = "Pause";
    part.play.setAttribute("aria-pressed", "true");
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.part.play.textContent = "Play";
    this.part.play.setAttribute("aria-pressed", "false");
  }

  goTo(frame) {
    this.choice.frame = Math.max(0, Math.min(this.length - 1, frame));
    this.drawFrame();
  }

  pickStep(measure, share) {
    const curve = this.panels.map((panel) => panel.curve(measure, this.choice.method)).find(Boolean);
    if (!curve) return;
    const distance = curve.fractions.map((fraction) => Math.abs(fraction - share));
    this.choose({ measure, step: distance.indexOf(Math.min(...distance)) });
  }

  // Takes over some choices and draws everything again.
  choose(changes) {
    const { part, choice } = this;
    Object.assign(choice, changes);
    const maps = this.panels.flatMap((panel) => panel.data.maps).filter((map) => map.method === choice.method);
    const classes = [...new Set(maps.map((map) => map.target))].filter((name) => name !== null);
    fillSelect(part.class, [["", "the explained one"], ...classes.map((name) => [name, name])]);
    choice.class = part.class.value;
    const curve = this.panels.map((panel) => panel.curve(choice.measure, choice.method)).find(Boolean);
    part.step.disabled = !curve;
    part.step.max = curve ? curve.scores.length - 1 : 0;
    choice.step = Math.min(choice.step, Number(part.step.max));
    part.step.value = choice.step;
    part.measure.value = choice.measure;
    part["step-text"].textContent = curve ? `${choice.step} of ${part.step.max}: ${(100 * curve.fractions[choice.step]).toFixed(0)} %` : "";
    part["opacity-text"].textContent = `${Math.round(100 * choice.opacity)} %`;
    part.status.textContent = this.note(maps);
    if (!("step" in changes || "opacity" in changes) || "measure" in changes) this.drawCharts();
    this.drawFrame();
  }

  note(maps) {
    const { choice } = this;
    const notes = [];
    if (choice.scale === "all") notes.push("Methods have different units: on one scale for all, faint maps are not weak maps.");
    if (choice.class && this.panels.some((panel) => panel.data.curves.length && panel.data.target !== choice.class))
      notes.push("Curves and the frames that the network saw are of the explained class.");
    if (!maps.length) notes.push("No map of this method is stored.");
    return notes.join(" ");
  }

  limits(panel) {
    const { choice } = this, shown = panel.map(choice);
    if (!shown) return null;
    const all = this.panels.flatMap((each) => each.data.maps);
    const sharing = {
      method: all.filter((map) => map.method === choice.method), all,
      shown: this.panels.map((each) => each.map(choice)).filter(Boolean), map: [shown],
    }[choice.scale];
    return [Math.min(...sharing.map((map) => map.low)), Math.max(...sharing.map((map) => map.high))];
  }

  drawCharts() {
    for (const panel of this.panels)
      panel.drawCharts(this.choice, this.limits(panel), (x) => this.stop() || this.goTo(x), (m, x) => this.pickStep(m, x));
  }

  drawFrame() {
    const { part, choice } = this;
    part.frame.value = choice.frame;
    part.frame.setAttribute("aria-valuetext", `frame ${choice.frame} of ${this.length - 1}`);
    part["frame-text"].textContent = `${choice.frame} of ${this.length - 1}`;
    for (const panel of this.panels) panel.drawFrame(choice, this.limits(panel));
  }
}

// A notebook shows the page in a frame of its own: as tall as the page.
function fitFrame() {
  const frame = window.frameElement;
  if (frame) new ResizeObserver(() => (frame.style.height = `${document.body.scrollHeight + 4}px`)).observe(document.body);
}

async function start() {
  const page = JSON.parse(document.getElementById("data").textContent);
  const colours = toBytes(page.colours), stops = [];
  for (let i = 0; i < 256; i += 15) stops.push(`rgb(${colours.slice(3 * i, 3 * i + 3).join(",")})`);
  document.documentElement.style.setProperty("--colours", `linear-gradient(to right, ${stops.join(",")})`);
  fitFrame();
  for (const data of page.scenes) {
    const scene = new Scene(data, await Promise.all(data.panels.map(decodePanel)), colours);
    document.getElementById("scenes").append(scene.root);
  }
  document.documentElement.dataset.ready = page.scenes.length;
}

start();
