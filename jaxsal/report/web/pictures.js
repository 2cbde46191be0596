// The pictures of a panel: the map over the clip, the clip, and what the network saw at a step.

Object.assign(Panel.prototype, {
  drawFrame(choice, panels) {
    const { part, data } = this, frame = data.frames[choice.frame], map = this.map(choice);
    this.paint("clip", (out) => out.set(frame), `${data.caption} clip, frame ${choice.frame}`);
    const limits = map && colourLimits(choice, map, this, panels);
    this.paint("over", (out) => (map ? this.mix(out, frame, map, limits, choice) : out.set(frame)),
      map ? `${choice.method} map of class ${map.target ?? ""} over ${data.caption} frame ${choice.frame}` : "no map stored");
    part["over-text"].textContent = map ? [choice.method, map.target].filter(Boolean).join(", ") : "no such map stored";
    this.drawBar(choice, map, limits, panels);
    part["profile-text"].textContent = this.profileText(choice, map);
    if (map) moveCursor(part.profile, choice.frame, map.profile[Math.floor((choice.frame * map.profile.length) / data.frames.length)]);
    this.drawSeen(choice);
  },

  mix(out, frame, map, [low, high], choice) {
    const step = (map.high - map.low) / 255;
    this.eachPixel(map.volume, choice.frame, (pixel, place) => {
      const value = map.low + step * map.volume.values[place];
      const shade = Math.max(0, Math.min(255, Math.round((255 * (value - low)) / (high - low || 1))));
      const grey = 0.299 * frame[pixel] + 0.587 * frame[pixel + 1] + 0.114 * frame[pixel + 2];
      for (let c = 0; c < 3; c++) out[pixel + c] = mixed(this.colours, shade, choice, frame[pixel + c], grey, c);
      out[pixel + 3] = 255;
    });
  },

  drawBar(choice, map, limits, panels) {
    const { part } = this;
    part.bar.parentElement.hidden = !map;
    if (!map) return;
    const used = usedShare(map, limits, choice), start = (ownLimits(map, choice)[0] - limits[0]) / (limits[1] - limits[0] || 1);
    const beyond = map.high > limits[1];
    part["bar-title"].textContent = scaleTitle(choice.scale, map, this, panels);
    part.low.textContent = shortNumber(limits[0]);
    part.high.textContent = shortNumber(limits[1]);
    part.bar.classList.toggle("beyond", beyond);
    part["used-text"].textContent = `this map uses ${(100 * used).toFixed(0)} %`;
    Object.assign(part.used.style, { marginLeft: `${100 * start}%`, width: `max(3px, ${100 * used}%)` });
    paintBar(part.bar, this.colours, choice);
    part.bar.setAttribute("aria-label", `Colours from ${part.low.textContent} to ${part.high.textContent}${beyond ? " and more" : ""}, over black and over white`);
  },

  drawSeen(choice) {
    const { part, data } = this;
    for (const measure of MEASURES) {
      const curve = this.curve(measure, choice.method), shown = measure === choice.measure && curve;
      part[`${measure}-figure`].classList.toggle("idle", !shown);
      if (shown) moveCursor(part[measure], curve.fractions[choice.step], curve.scores[choice.step]);
    }
    const curve = this.curve(choice.measure, choice.method), baseline = data.baselines[choice.measure];
    part["seen-figure"].hidden = !(curve && baseline);
    if (!curve) return void (part.readout.textContent = `no ${choice.measure} of ${choice.method}`);
    const step = Math.min(choice.step, curve.scores.length - 1), percent = (100 * curve.fractions[step]).toFixed(0);
    const score = `${scoreOf(data)} = ${curve.scores[step].toFixed(3)}`;
    part.readout.textContent = `${choice.measure}: ${percent} % ${CHANGED[choice.measure]}, ${score}`;
    part["seen-text"].textContent = `as the network saw it: ${percent} % ${CHANGED[choice.measure]}`;
    if (!part["seen-figure"].hidden) this.paintSeen(choice, data.orders[curve.order], baseline, step);
  },

  paintSeen(choice, order, baseline, step) {
    const frame = this.data.frames[choice.frame], other = baseline[Math.min(choice.frame, baseline.length - 1)];
    const [from, to] = INSERTION_FIRST[choice.measure] ? [other, frame] : [frame, other];
    this.paint("seen", (out) => this.eachPixel(order, choice.frame, (pixel, place) => {
      for (let c = 0; c < 3; c++) {
        const changed = order.values[place + (order.channels > 1 ? c : 0)] <= step;
        out[pixel + c] = (changed ? to : from)[pixel + c];
      }
      out[pixel + 3] = 255;
    }), `What the network saw at step ${step} of the ${choice.measure}, frame ${choice.frame}`);
  },

  paint(name, fill, label) {
    const canvas = this.part[name], pen = canvas.getContext("2d");
    const picture = pen.createImageData(canvas.width, canvas.height);
    fill(picture.data);
    pen.putImageData(picture, 0, 0);
    canvas.setAttribute("aria-label", label);
  },

  eachPixel(volume, frame, draw) {
    const { width, height } = this.data;
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) draw(4 * (y * width + x), voxel(volume, this.data, frame, y, x));
  },
});
