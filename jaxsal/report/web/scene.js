// A scene's controls, for the mouse, the finger and the keyboard.

const PHONE = matchMedia("(max-width: 40rem)");

class Scene {
  constructor(data, number, colours) {
    Object.assign(this, clone("scene"), { data, colours });
    const { part, root } = this;
    root.id = `scene-${number}`;
    part.name.id = `scene-${number}-name`;
    part.name.textContent = data.name;
    part.name.hidden = !data.name;
    root.setAttribute(...(data.name ? ["aria-labelledby", part.name.id] : ["aria-label", "Player"]));
  }

  // Decodes the clips and shows them; says what went wrong if they cannot be decoded.
  async load() {
    const { part, root } = this;
    if (this.loading) return;
    this.loading = true;
    try {
      this.fill(await Promise.all(this.data.panels.map(decodePanel)));
      part.loading.remove();
    } catch (error) {
      part.body.hidden = true;
      complain(part.loading, error);
    }
    root.removeAttribute("aria-busy");
  }

  fill(panels) {
    const { part } = this;
    const methods = [...new Set(panels.flatMap((p) => [...p.maps, ...p.curves].map((entry) => entry.method)))];
    this.panels = panels.map((panel) => new Panel(panel, methods, this.colours));
    this.length = panels[0].frames.length;
    this.choice = { frame: 0, opacity: 0.8, fade: true, step: 0, measure: "deletion", method: "", class: "", on: "recording", all: false };
    this.wantedScale = this.data.scale;
    part.panels.append(...this.panels.map((panel) => panel.root));
    part.panels.classList.toggle("pair", panels.length > 1);
    part.frame.max = this.length - 1;
    const drawn = methods.filter((method) => panels.some((p) => p.maps.some((map) => map.method === method)));
    fillSelect(part.method, drawn.map((method) => [method, method]));
    part["all-label"].hidden = drawn.length < 2;
    part["on-label"].hidden = !panels.some((panel) => panel.recording);
    const rate = panels.map((panel) => panel.fps).find(Boolean);
    if (rate) part.speed.prepend(new Option(`${shortNumber(rate)}, as recorded`, rate, true, true));
    part["curve-controls"].hidden = !panels.some((panel) => panel.curves.length);
    part.body.hidden = false;
    this.listen();
    this.arrange();
    this.choose({ method: drawn[0] });
    const sizes = new ResizeObserver(() => this.resize());
    for (const panel of this.panels) sizes.observe(panel.part.charts);
  }

  listen() {
    const { part } = this, steps = { back: -1, forward: 1 };
    for (const [name, step] of Object.entries(steps))
      part[name].addEventListener("click", () => this.stop() || this.goTo(this.choice.frame + step));
    part.play.addEventListener("click", () => this.toggle());
    part.speed.addEventListener("change", () => this.timer && (this.stop(), this.play()));
    part.frame.addEventListener("input", () => this.stop() || this.goTo(Number(part.frame.value)));
    for (const name of ["method", "class", "measure", "on"])
      part[name].addEventListener("change", () => this.choose({ [name]: part[name].value }));
    part.scale.addEventListener("change", () => this.choose({ scale: (this.wantedScale = part.scale.value) }));
    part.all.addEventListener("change", () => this.showAll(part.all.checked));
    part.fade.addEventListener("change", () => this.choose({ fade: part.fade.checked }));
    part.opacity.addEventListener("input", () => this.choose({ opacity: part.opacity.value / 100 }));
    part.step.addEventListener("input", () => this.choose({ step: Number(part.step.value) }));
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    PHONE.addEventListener("change", () => this.arrange());
  }

  // On a phone what is not needed at once is folded away, the small pictures with it.
  arrange() {
    for (const fold of this.root.querySelectorAll("details.fold")) fold.open = !PHONE.matches;
    for (const { part } of this.panels) {
      if (PHONE.matches) part.rest.insertBefore(part.small, part.charts);
      else part.pictures.append(part.small);
    }
  }

  // All methods beside each other, or the chosen one alone.
  showAll(all) {
    const methods = [...this.part.method.options].map((option) => option.value);
    for (const panel of this.panels) if (all && !panel.tiles) panel.addTiles(methods, (method) => this.choose({ method }));
    this.choose({ all });
  }

  // Charts are as wide as their places.
  resize() {
    const widths = this.panels.flatMap(({ part }) => [part.profile, part.deletion].map((place) => place.clientWidth)).join();
    if (widths === this.widths) return;
    this.widths = widths;
    this.drawCharts();
    this.drawFrame();
  }

  // Space plays and pauses, the arrows step, except where a control has another use for them.
  onKey(event) {
    const { tagName, type } = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || tagName === "SELECT") return;
    const isSlider = type === "range";
    const actions = {
      ...(/^(BUTTON|SUMMARY)$/.test(tagName) || type === "checkbox" ? {} : { " ": () => this.toggle() }),
      ...(isSlider ? {} : {
        ArrowLeft: () => this.stop() || this.goTo(this.choice.frame - 1),
        ArrowRight: () => this.stop() || this.goTo(this.choice.frame + 1),
      }),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }

  toggle() {
    if (this.timer) this.stop();
    else this.play();
  }

  play() {
    const { part } = this;
    this.timer = setInterval(() => this.goTo((this.choice.frame + 1) % this.length), 1000 / Number(part.speed.value));
    part.play.textContent = "Pause";
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.part.play.textContent = "Play";
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
    part["class-label"].hidden = classes.length < 2;
    choice.class = part.class.value;
    this.chooseScale();
    this.showChoices();
    if ("method" in changes || "class" in changes || "measure" in changes) this.drawCharts();
    this.drawFrame();
    part.status.textContent = this.note(maps);
  }

  // The wanted scale, or the maps' own limits where there is nothing to share them with.
  chooseScale() {
    const choices = scaleChoices(this.panels.map((panel) => panel.map(this.choice)), this.panels);
    fillSelect(this.part.scale, choices);
    this.choice.scale = choices.some(([value]) => value === this.wantedScale) ? this.wantedScale : "map";
    this.part.scale.value = this.choice.scale;
  }

  showChoices() {
    const { part, choice } = this;
    const curve = this.panels.map((panel) => panel.curve(choice.measure, choice.method)).find(Boolean);
    part.step.disabled = !curve;
    part.step.max = curve ? curve.scores.length - 1 : 0;
    choice.step = Math.min(choice.step, Number(part.step.max));
    part.step.value = choice.step;
    part.measure.value = choice.measure;
    part.method.value = choice.method;
    const percent = curve ? `${(100 * curve.fractions[choice.step]).toFixed(0)} % ${CHANGED[choice.measure]}` : "";
    part["step-text"].textContent = curve ? `${choice.step} of ${part.step.max}: ${percent}` : "";
    part.step.setAttribute("aria-valuetext", `step ${choice.step} of ${part.step.max}, ${percent}`);
    part["opacity-text"].textContent = `${Math.round(100 * choice.opacity)} %`;
    part.opacity.setAttribute("aria-valuetext", part["opacity-text"].textContent);
  }

  note(maps) {
    const { choice, panels } = this, notes = [];
    if (!maps.length) notes.push("No map of this method is stored.");
    for (const panel of panels) {
      const map = panel.map(choice), share = map && usedShare(map, colourLimits(choice, map, panel, panels), choice);
      if (map && share < 0.2 && map.high > map.low)
        notes.push(`${panel.data.caption || "The map"} uses ${(100 * share).toFixed(0)} % of this scale; “each map its own limits” shows it in full.`);
    }
    if (choice.scale === "clip") notes.push("Methods have different units: on one scale, faint maps are not weak maps.");
    if (choice.class && panels.some((panel) => panel.data.curves.length && panel.data.target !== choice.class))
      notes.push("Curves and the frames that the network saw are of the explained class.");
    return notes.join(" ");
  }

  drawCharts() {
    for (const panel of this.panels)
      panel.drawCharts(this.choice, (x) => this.stop() || this.goTo(x), (m, x) => this.pickStep(m, x));
  }

  drawFrame() {
    const { part, choice } = this, last = this.length - 1;
    part.frame.value = choice.frame;
    const named = this.panels.find((panel) => panel.data.labels)?.frameName(choice.frame);
    part.frame.setAttribute("aria-valuetext", named ? `frame ${named}, ${choice.frame + 1} of ${last + 1}` : `frame ${choice.frame}, of 0 to ${last}`);
    part["frame-text"].textContent = named ? `${named} (${choice.frame + 1} of ${last + 1})` : `${choice.frame} (0–${last})`;
    for (const panel of this.panels) panel.drawFrame(choice, this.panels);
  }
}
