// The start of the page: a list of its scenes, each decoded when it comes near the window.

function complain(place, error) {
  place.setAttribute("role", "alert");
  place.className = "error";
  const old = typeof DecompressionStream === "undefined" || typeof OffscreenCanvas === "undefined";
  place.textContent = `This cannot be shown: ${old ? "the player needs a browser of 2023 or later" : error.message || error}.`;
}

// The checksum of the page's text without spaces, as `page.py` takes it.
function checksum() {
  const parts = document.querySelectorAll("head, header, footer, body > script");
  const text = [...parts].map((part) => part.textContent).join("").replace(/[ \t\n\r\f]+/g, "");
  const table = Uint32Array.from({ length: 256 }, (_, n) => {
    for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n;
  });
  let crc = -1;
  for (const byte of new TextEncoder().encode(text)) crc = table[(crc ^ byte) & 255] ^ (crc >>> 8);
  return String((crc ^ -1) >>> 0);
}

// A notebook shows the page in a frame of its own: as tall as the page.
function fitFrame() {
  const frame = window.frameElement;
  if (frame) new ResizeObserver(() => (frame.style.height = `${document.body.scrollHeight + 4}px`)).observe(document.body);
}

function contents(scenes) {
  const nav = document.createElement("nav"), list = document.createElement("ol");
  nav.setAttribute("aria-label", "Scenes");
  for (const [i, { data, root }] of scenes.entries()) {
    const item = document.createElement("li"), link = document.createElement("a");
    Object.assign(link, { href: `#${root.id}`, textContent: data.name || `scene ${i + 1}` });
    item.append(link);
    list.append(item);
  }
  nav.append(list);
  return nav;
}

function start(main) {
  const page = JSON.parse(document.getElementById("data").textContent), colours = toBytes(page.colours);
  const scenes = page.scenes.map((data, i) => new Scene(data, i + 1, colours));
  if (scenes.length > 1) main.append(contents(scenes));
  const near = new IntersectionObserver(async (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      await scenes.find(({ root }) => root === target).load();
      document.documentElement.dataset.ready = main.querySelectorAll(".scene:not([aria-busy])").length;
    }
  }, { rootMargin: "300px" });
  for (const { root } of scenes) {
    main.append(root);
    near.observe(root);
  }
}

function complainAtTheTop(error) {
  const place = document.createElement("p");
  document.body.prepend(place);
  complain(place, error);
}

const damaged = document.documentElement.dataset.crc32 !== checksum();
fitFrame();
if (damaged) complainAtTheTop("the page is damaged, its text does not have its checksum; write it again, as by jaxsal report");
try {
  start(document.getElementById("scenes"));
} catch (error) {
  if (!damaged) complainAtTheTop(error);
}
