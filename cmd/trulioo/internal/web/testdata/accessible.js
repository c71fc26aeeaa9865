// What a page has to be for a screen reader and for weak eyes. Gives what is wrong.
(() => {
  const wrong = [];
  const all = (selector) => [...document.querySelectorAll(selector)].filter((e) => e.checkVisibility());
  const must = (holds, text, e) => { if (!holds) wrong.push(e ? `${text}: ${e.outerHTML.slice(0, 160)}` : text); };
  const byId = (list) => (list || "").split(/\s+/).filter(Boolean).map((id) => document.getElementById(id));
  const name = (e) => (e.getAttribute("aria-label") || byId(e.getAttribute("aria-labelledby")).map((l) => l?.textContent).join(" ") ||
    [...(e.labels || [])].map((l) => l.textContent).join(" ") || (e.matches("input, select, textarea") ? "" : e.textContent + [...e.querySelectorAll("img")].map((i) => i.alt).join(" "))).trim();

  must(document.documentElement.lang === "en", "the page says its language");
  must(document.title.trim() !== "", "the page has a title");
  must(all("main").length === 1 || location.protocol === "file:", "there is one main part");
  for (const e of all("nav")) must(name(e) !== "", "a navigation has a name", e);
  for (const e of all("a[href], button, input, select, textarea, summary, progress, [role=region], [role=search]")) {
    must(name(e) !== "" || e.getAttribute("role") === "search", "a control has a name", e);
  }
  for (const e of all("img")) must(e.hasAttribute("alt"), "a picture has a text", e);
  for (const e of all("svg")) must(e.getAttribute("aria-hidden") === "true" || e.getAttribute("role") === "img", "a drawing is named or has its numbers beside it", e);
  for (const e of all("th")) must(e.scope === "col" || e.scope === "row", "a head cell says what it is the head of", e);
  for (const e of all("[aria-labelledby]")) must(byId(e.getAttribute("aria-labelledby")).every(Boolean), "what names a part is there", e);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  must(new Set(ids).size === ids.length, "each id is there once");

  const headings = all("h1, h2, h3, h4, h5, h6");
  must(headings.filter((e) => e.tagName === "H1").length === 1, "there is one first heading");
  let before = 0;
  for (const e of headings) {
    const level = Number(e.tagName[1]);
    must(level <= before + 1, "no level of headings is left out", e);
    before = level;
  }

  // WCAG 2.2, 1.4.3: 4.5 to 1 for text, 3 to 1 for large text.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.backgroundImage !== "none") return null; // a pattern
      const colour = rgba(style.backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? rgba("#121212") : rgba("#fff");
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || seen.has(e) || !e.checkVisibility() || e.closest(".hidden, option, progress, title")) continue;
    seen.add(e);
    const style = getComputedStyle(e), back = ground(e);
    if (!back) continue;
    const [high, low] = [light(rgba(e.closest("svg") ? style.fill : style.color)), light(back)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    must(ratio >= (large ? 3 : 4.5), `the contrast of a text is ${ratio.toFixed(2)} to 1`, e);
  }
  return wrong;
})()
