// The pictures of a panel: maps over the clip or its recording, the clip, and what the network saw at a step.

Object.assign(Panel.prototype, {
  // The recording's frames, or those that the network took.
  view(choice) {
    return (choice.on === "recording" && this.data.recording) || this.data.input;
  },

  // The number of a frame in its recording, and its second, where they are known.
  frameName(frame) {
    return this.data.labels ? this.data.labels[frame] : String(frame);
  },

  drawFrame(choice, panels) {
    const { part, data } = this, view = this.view(choice), map = this.map(choice);
    this.paint(part.clip, view, (out) => out.set(view.frames[choice.frame]), `${data.caption} clip, frame ${this.frameName(choice.frame)}`);
    this.drawMaps(choice, panels);
    this.drawBar(choice, map, map && colourLimits(choice, map, this, panels), panels);
    part["profile-text"].textContent = this.profileText(choice, map);
    if (map) moveCursor(part.profile, choice.frame, map.profile[Math.floor((choice.frame * map.profile.length) / data.frames.length)]);
    this.drawSeen(choice);
  },

  // The map of the chosen method, or those of all methods beside each other.
  drawMaps(choice, panels) {
    const { part, data } = this, when = data.labels ? `, frame ${this.frameName(choice.frame)}` : "";
    part.pictures.classList.toggle("all", choice.all);
    part.over.parentElement.hidden = choice.all;
    part.tiles.hidden = !choice.all;
    if (!choice.all) {
      const map = this.drawMap(part.over, choice, panels);
      part["over-text"].textContent = map ? [choice.method, map.target, map.undecided && "hatched: undecided"].filter(Boolean).join(", ") + when : "no such map stored";
    }
    for (const [method, tile] of choice.all ? this.tiles : []) {
      const map = this.drawMap(tile.part.tile, { ...choice, method }, panels);
      const [low, high] = map ? colourLimits(choice, map, this, panels).map(shortNumber) : [];
      tile.part["tile-text"].textContent = map ? `${method}: ${low} to ${high}` : `${method}: no such map stored`;
      tile.root.setAttribute("aria-pressed", method === choice.method);
    }
  },

  drawMap(canvas, choice, panels) {
    const view = this.view(choice), map = this.map(choice), frame = view.frames[choice.frame];
    const limits = map && colourLimits(choice, map, this, panels);
    this.paint(canvas, view, (out) => (map ? this.mix(out, frame, view, map, limits, choice) : out.set(frame)),
      map ? `${choice.method} map of class ${map.target ?? ""} over ${this.data.caption} frame ${this.frameName(choice.frame)}` : "no map stored");
    return map;
  },

  mix(out, frame, view, map, [low, high], choice) {
    const { values, length, height, width } = map.volume, [top, left, tall, wide] = view.box;
    const slice = Math.floor((choice.frame * length) / view.frames.length) * height * width;
    const columns = samplePlaces(view.width, left, wide, width, view.smooth), step = (map.high - map.low) / 255;
    out.set(frame);
    for (const [y, above, below, down] of samplePlaces(view.height, top, tall, height, view.smooth)) {
      const upper = slice + above * width, lower = slice + below * width;
      for (const [x, before, after, across] of columns) {
        const first = values[upper + before] * (1 - across) + values[upper + after] * across;
        const second = values[lower + before] * (1 - across) + values[lower + after] * across;
        const value = map.low + step * (first * (1 - down) + second * down), pixel = 4 * (y * view.width + x);
        const shade = Math.max(0, Math.min(255, Math.round((255 * (value - low)) / (high - low || 1))));
        const grey = 0.299 * frame[pixel] + 0.587 * frame[pixel + 1] + 0.114 * frame[pixel + 2];
        const line = map.undecided && onLine(x, y, view.height) && map.undecided[(down < 0.5 ? upper : lower) + (across < 0.5 ? before : after)];
        for (let c = 0; c < 3; c++) out[pixel + c] = mixed(this.colours, shade, choice, frame[pixel + c], grey, c);
        if (line) for (let c = 0; c < 3; c++) out[pixel + c] = Math.floor(out[pixel + c] / 4) + 191;
      }
    }
  },

  drawBar(choice, map, limits, panels) {
    const { part } = this;
    part.bar.parentElement.hidden = !map;
    if (!map) return;
    const used = usedShare(map, limits, choice), start = (ownLimits(map, choice)[0] - limits[0]) / (limits[1] - limits[0] || 1);
    const beyond = map.high > limits[1];
    part["bar-title"].textContent = `${choice.all ? `${choice.method}: ` : ""}${scaleTitle(choice.scale, map, this, panels)}`;
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
    this.paint(this.part.seen, this.data.input, (out) => this.eachPixel(order, choice.frame, (pixel, place) => {
      for (let c = 0; c < 3; c++) {
        const changed = order.values[place + (order.channels > 1 ? c : 0)] <= step;
        out[pixel + c] = (changed ? to : from)[pixel + c];
      }
      out[pixel + 3] = 255;
    }), `What the network saw at step ${step} of the ${choice.measure}, frame ${this.frameName(choice.frame)}`);
  },

  // Fills a canvas of a view's size, and outlines what the network saw of it, white within black.
  paint(canvas, view, fill, label) {
    if (canvas.width !== view.width || canvas.height !== view.height) Object.assign(canvas, { width: view.width, height: view.height });
    canvas.classList.toggle("smooth", view.smooth);
    const pen = canvas.getContext("2d"), picture = pen.createImageData(view.width, view.height);
    fill(picture.data);
    pen.putImageData(picture, 0, 0);
    canvas.setAttribute("aria-label", label);
    const [top, left, tall, wide] = view.box;
    if (tall >= 1 && wide >= 1) return;
    const line = Math.max(1, Math.round(view.width / 240));
    pen.lineWidth = line;
    for (const [inset, colour] of [[1.5 * line, "black"], [0.5 * line, "white"]]) {
      pen.strokeStyle = colour;
      pen.strokeRect(Math.round(left * view.width) + inset, Math.round(top * view.height) + inset,
        Math.round(wide * view.width) - 2 * inset, Math.round(tall * view.height) - 2 * inset);
    }
  },

  eachPixel(volume, frame, draw) {
    const { width, height } = this.data;
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) draw(4 * (y * width + x), voxel(volume, this.data, frame, y, x));
  },
});

// Whether a pixel lies on a line of the hatching, as in `jaxsal.drawing.hatching`.
function onLine(x, y, height) {
  const space = Math.max(4, Math.floor(height / 16));
  return (x + y) % space < Math.max(1, Math.floor(space / 6));
}

// The pixels of an axis within a part of it, and for each the two of `count` values that it lies between and the share of
// the second; the nearest one alone where they are not to be blended.
function samplePlaces(size, start, share, count, smooth) {
  const first = Math.max(0, Math.ceil(start * size - 0.5)), end = Math.min(size, Math.ceil((start + share) * size - 0.5));
  return Array.from({ length: end - first }, (_, i) => {
    const place = (((first + i + 0.5) / size - start) / share) * count;
    if (!smooth) return [first + i, Math.min(Math.floor(place), count - 1), 0, 0];
    const middle = Math.max(0, Math.min(count - 1, place - 0.5)), lower = Math.floor(middle);
    return [first + i, lower, Math.min(lower + 1, count - 1), middle - lower];
  });
}
