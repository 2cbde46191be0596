// From the page's text to arrays and pictures.

function toBytes(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

async function inflate(base64) {
  const stream = new Blob([toBytes(base64)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Undoes differences along time, rows and columns, all modulo 256 or 65536.
async function decodeVolume(packed) {
  const [length, height, width, channels = 1] = packed.shape;
  const bytes = await inflate(packed.data);
  const values = packed.bytes === 2 ? new Uint16Array(bytes.buffer) : bytes;
  const row = width * channels, frame = height * row;
  for (let i = 0; i < values.length; i++) if (i % row >= channels) values[i] += values[i - channels];
  for (let i = 0; i < values.length; i++) if (i % frame >= row) values[i] += values[i - row];
  for (let i = frame; i < values.length; i++) values[i] += values[i - frame];
  return { values, length, height, width, channels };
}

// All frames as one array of red, green, blue, alpha.
async function decodeFrames(frames, height, width) {
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const pictures = [];
  for (const frame of frames) {
    const bitmap = await createImageBitmap(new Blob([toBytes(frame)], { type: "image/webp" }));
    pen.drawImage(bitmap, 0, 0, width, height);
    pictures.push(pen.getImageData(0, 0, width, height).data);
  }
  return pictures;
}

async function decodeBaseline(baseline, height, width) {
  if (baseline.frames) return decodeFrames(baseline.frames, height, width);
  const picture = new Uint8ClampedArray(4 * height * width).fill(255);
  for (let i = 0; i < picture.length; i++) if (i % 4 < 3) picture[i] = baseline.colour[i % 4];
  return [picture];
}

// What maps are drawn on: pictures, and the part of each that the network saw, in shares of its height and width.
async function decodeView({ size: [height, width], frames, box }) {
  return { height, width, frames: await decodeFrames(frames, height, width), box: box ?? [0, 0, 1, 1], smooth: Boolean(box) };
}

async function decodePanel(panel) {
  const input = await decodeView(panel.input), { height, width, frames } = input;
  const decoded = { ...panel, input, height, width, frames, baselines: {} };
  decoded.recording = panel.recording && await decodeView(panel.recording);
  decoded.maps = await Promise.all(panel.maps.map(async (map) => ({
    ...map, volume: await decodeVolume(map), undecided: map.undecided && (await decodeVolume(map.undecided)).values,
  })));
  decoded.orders = await Promise.all(panel.orders.map(decodeVolume));
  for (const [measure, baseline] of Object.entries(panel.baselines))
    decoded.baselines[measure] = await decodeBaseline(baseline, height, width);
  return decoded;
}

// Where the voxel of pixel (frame, y, x) lies in a volume of fewer frames, rows or columns.
function voxel(volume, panel, frame, y, x) {
  const t = Math.floor((frame * volume.length) / panel.frames.length);
  const row = Math.floor((y * volume.height) / panel.height), column = Math.floor((x * volume.width) / panel.width);
  return ((t * volume.height + row) * volume.width + column) * volume.channels;
}
