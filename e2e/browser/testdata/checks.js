// Lists what is wrong with a page for people who read, hear or operate it.
(() => {
  const problems = [];
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  /** Any CSS colour as [r, g, b, a]. */
  const rgba = (color) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = color;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const backdrop = (el) => {
    const layers = [];
    for (let e = el; e; e = e.parentElement) {
      const color = rgba(getComputedStyle(e).backgroundColor);
      if (color[3] > 0) layers.push(color);
      if (color[3] === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const contrast = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const shown = (el) => el.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && el.getClientRects().length > 0 && !el.closest(".hidden, .skip");
  const nameOf = (el) => (el.getAttribute("aria-label") || [...(el.labels ?? [])].map((l) => l.innerText).join(" ") || el.innerText || el.getAttribute("title") || "").trim();
  const where = (el) => `${el.tagName.toLowerCase()}${el.id ? `#${el.id}` : ""}.${String(el.className?.baseVal ?? el.className)} ${JSON.stringify((el.innerText ?? "").slice(0, 40))}`;

  const seen = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const el = node.parentElement;
    if (!node.data.trim() || seen.has(el) || !shown(el) || el.closest("svg, noscript, script, button:disabled")) continue;
    seen.add(el);
    const style = getComputedStyle(el);
    const behind = backdrop(el);
    const ratio = contrast(over(rgba(style.color), behind), behind);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.6 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) problems.push(`contrast ${ratio.toFixed(2)} of ${where(el)}, ${style.color} on ${behind.map(Math.round)}`);
  }
  for (const el of document.querySelectorAll("button, a[href], input, select, textarea, [role=img], dialog, [tabindex='0']")) {
    if (shown(el) && !nameOf(el)) problems.push(`no name: ${where(el)}`);
  }
  for (const el of document.querySelectorAll("input, select, textarea")) {
    if (!shown(el)) continue;
    const border = contrast(rgba(getComputedStyle(el).borderTopColor), backdrop(el.parentElement));
    if (el.type !== "checkbox" && border < 3) problems.push(`border ${border.toFixed(2)} of ${where(el)}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((el) => el.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) problems.push(`the id ${id} is there twice`);
  if (document.querySelectorAll("h1").length !== 1) problems.push(`${document.querySelectorAll("h1").length} h1, want one`);
  if (!document.documentElement.lang) problems.push("no lang");
  if (!document.querySelector("[aria-live]")) problems.push("nothing tells of updates");
  if (!/ · asyncops$/.test(document.title)) problems.push(`the title is ${document.title}`);
  if (document.documentElement.scrollWidth > innerWidth) problems.push(`${document.documentElement.scrollWidth - innerWidth}px wider than the window`);
  if (innerWidth < 600) {
    for (const el of document.querySelectorAll("button, a.button, .tabs a, select")) {
      const box = el.getBoundingClientRect();
      if (shown(el) && box.height < 24) problems.push(`${box.height}px high: ${where(el)}`);
    }
  }
  return problems;
})()
