// Colour scales: which maps share one, its limits, its name, and the bar that shows it.

// Methods whose names are alike up to the first comma are compared: "RISE, trained on IR" and "RISE, trained on TV".
function kindOf(method) {
  return method.split(",")[0];
}

// The maps beside which the shown one is looked at: of its kind and its class, in every panel of the scene.
function comparedWith(shown, panels) {
  return panels.flatMap((panel) => panel.data.maps
    .filter((map) => kindOf(map.method) === kindOf(shown.method) && map.target === shown.target)
    .map((map) => ({ map, panel })));
}

function mapsOfClass(shown, panel) {
  return panel.data.maps.filter((map) => map.target === shown.target);
}

// The values of the first and the last colour of a map by itself: the few above the 99.5th percentile share the last.
function ownLimits(map, choice) {
  return choice.fade ? map.faded : map.plain;
}

// "steps": one step of colour is the same amount in all compared maps, and each starts at its own first value.
// "limits": all compared maps have the same limits. "clip": so have all methods' maps of the clip. "map": its own.
function colourLimits(choice, shown, panel, panels) {
  const [first, last] = ownLimits(shown, choice);
  if (choice.scale === "map") return [first, last];
  const pooled = choice.scale === "clip" ? mapsOfClass(shown, panel) : comparedWith(shown, panels).map((entry) => entry.map);
  const limits = pooled.map((map) => ownLimits(map, choice));
  if (choice.scale === "steps") return [first, first + Math.max(...limits.map(([low, high]) => high - low))];
  return [Math.min(...limits.map(([low]) => low)), Math.max(...limits.map(([, high]) => high))];
}

function listed(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

// What the maps that are compared are called: the spectra, or what their names say after the comma.
function comparedNames(shown, panels) {
  const entries = comparedWith(shown, panels);
  const methods = new Set(entries.map(({ map }) => map.method));
  return entries.map(({ map, panel }) => (methods.size > 1 ? map.method : panel.data.caption || map.method));
}

// The choices of a scene for the maps on show, named by what they pool.
function scaleChoices(shownMaps, panels) {
  const pairs = panels.map((panel, i) => [shownMaps[i], panel]).filter(([map]) => map);
  const compared = pairs.map(([map]) => comparedNames(map, panels)).find((names) => names.length > 1);
  const methods = pairs.map(([map, panel]) => mapsOfClass(map, panel).map((each) => each.method)).find((names) => names.length > 1);
  return [
    ...(compared ? [["steps", `${listed(compared)}: equal steps`], ["limits", `${listed(compared)}: same limits`]] : []),
    ...(methods ? [["clip", `${listed(methods)} of ${panels.length > 1 ? "each" : "the"} clip: same limits`]] : []),
    ["map", "each map its own limits"],
  ];
}

function scaleTitle(scale, shown, panel, panels) {
  const others = comparedNames(shown, panels).filter((name) => name !== (panel.data.caption || shown.method) && name !== shown.method);
  const shares = {
    steps: others.length ? `steps of colour as in ${listed(others)}` : "its own limits",
    limits: others.length ? `limits shared with ${listed(others)}` : "its own limits",
    clip: `limits shared by ${listed(mapsOfClass(shown, panel).map((map) => map.method))}`,
    map: "its own limits",
  };
  return `saliency${shown.unit ? `, ${shown.unit}` : ""}; ${shares[scale]}`;
}

// The share of the colours that a map uses.
function usedShare(map, [low, high], choice) {
  const [first, last] = ownLimits(map, choice);
  return high > low ? (last - first) / (high - low) : 0;
}

// A colour over a pixel, which turns grey as the colour grows opaque, so that its own colours are not taken for the map's.
function mixed(colours, shade, choice, value, grey, channel) {
  const share = choice.fade ? shade / 255 : 1, alpha = choice.opacity * share;
  return alpha * colours[3 * shade + channel] + (1 - alpha) * (share * grey + (1 - share) * value);
}

// The colours as they come out over black, upper half, and over white, lower half.
function paintBar(canvas, colours, choice) {
  const pen = canvas.getContext("2d"), picture = pen.createImageData(256, 2);
  for (let i = 0; i < 512; i++) {
    const ground = i < 256 ? 0 : 255;
    for (let c = 0; c < 3; c++) picture.data[4 * i + c] = mixed(colours, i % 256, choice, ground, ground, c);
    picture.data[4 * i + 3] = 255;
  }
  pen.putImageData(picture, 0, 0);
}
