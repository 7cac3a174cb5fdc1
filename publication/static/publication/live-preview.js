// A reader's page beside the form that it is made of, kept up to date while one types. The server renders the unsaved
// form; here the frame's document is changed only where it differs, so that it neither flickers nor loses its place.
// With a button that names the pane in `aria-controls` the pane is opened and closed; without one it is always open.
"use strict";

(() => {
  const pane = document.querySelector("[data-live-preview]");
  if (!pane) return;
  const form = pane.closest("form");
  const toggle = document.querySelector(`[aria-controls="${pane.id}"]`);
  const message = pane.querySelector('[role="status"]');
  const frame = pane.querySelector("iframe");
  const box = frame.parentElement;
  const dark = pane.querySelector("[data-dark]");
  const PAUSE_MS = 80;
  const WIDTHS = { phone: 390, desktop: 1180, mail: 680 };
  let kind = "phone";
  let waiting = 0;
  let isAsking = false;
  let isOutdated = false;
  let sheets = "";

  const darkRules = new WeakSet();

  const isMail = () => kind === "mail";
  const source = () => (isMail() ? pane.dataset.mail : pane.dataset.frame);
  const isOpen = () => !pane.hidden;

  function morph(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeName !== fresh.nodeName || old.nodeType !== Node.ELEMENT_NODE) {
      old.replaceWith(old.ownerDocument.importNode(fresh, true));
      return;
    }
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    const before = [...old.childNodes];
    const after = [...fresh.childNodes];
    // What is equal at both ends stays, so that one new paragraph changes nothing else.
    while (before.length && after.length && before[0].isEqualNode(after[0])) { before.shift(); after.shift(); }
    let tail = null;
    while (before.length && after.length && before.at(-1).isEqualNode(after.at(-1))) { tail = before.pop(); after.pop(); }
    before.forEach((node, place) => (place < after.length ? morph(node, after[place]) : node.remove()));
    for (const node of after.slice(before.length)) old.insertBefore(old.ownerDocument.importNode(node, true), tail);
  }

  // As the reader's device would choose, whatever this one has: the rules for the dark apply or do not.
  function colour() {
    const isDark = dark.getAttribute("aria-pressed") === "true";
    const shown = frame.contentDocument;
    shown.documentElement.style.colorScheme = isDark ? "dark" : "light";
    for (const sheet of shown.styleSheets) {
      for (const rule of sheet.cssRules) {
        if (!(rule instanceof frame.contentWindow.CSSMediaRule)) continue;
        if (rule.media.mediaText.includes("prefers-color-scheme")) darkRules.add(rule);
        if (darkRules.has(rule)) rule.media.mediaText = isDark ? "all" : "not all";
      }
    }
  }

  const styles = (page) => [...page.head.querySelectorAll('link[rel="preload"][as="font"], link[rel="stylesheet"], style')];
  // Nobody waits for long: of a page that is left meanwhile, nothing comes.
  const here = (link) => new Promise((done) => {
    link.addEventListener("load", done);
    link.addEventListener("error", done);
    setTimeout(done, 3_000);
  });

  // The faces come before the rules that name them, because a page does not wait for one that is late. The former rules
  // stay until the new ones are here, so that the page is never bare.
  async function dress(shown, wanted, fresh) {
    sheets = wanted;
    const former = styles(shown);
    const added = styles(fresh).map((each) => shown.importNode(each, true));
    for (const isFirst of [true, false]) {
      const part = added.filter((each) => (each.rel === "preload") === isFirst);
      const coming = part.filter((each) => each.nodeName === "LINK").map(here);
      shown.head.append(...part);
      await Promise.all(coming);
    }
    for (const each of sheets === wanted ? former : added) each.remove();
    colour();
  }

  async function show(html) {
    // Read by the frame's policy, which is what is shown there; the desk's own would report each style of a mail.
    const fresh = new frame.contentWindow.DOMParser().parseFromString(html, "text/html");
    for (const each of fresh.querySelectorAll("script, meta")) each.remove();
    for (const link of fresh.querySelectorAll("a[href]")) if (!link.getAttribute("href").startsWith("#")) link.target = "_blank";
    const shown = frame.contentDocument;
    shown.documentElement.lang = fresh.documentElement.lang;
    const wanted = styles(fresh).map((each) => each.outerHTML).join();
    const isBare = !sheets;
    const dressed = wanted === sheets ? null : dress(shown, wanted, fresh);
    if (isBare) await dressed;
    morph(shown.body, fresh.body);
    pane.dispatchEvent(new CustomEvent("preview:shown", { bubbles: true }));
  }

  async function update() {
    if (!isOpen() || frame.dataset.shows !== source()) return;
    if (isAsking) { isOutdated = true; return; }
    isAsking = true;
    isOutdated = false;
    const asked = source();
    try {
      const response = await fetch(isMail() ? pane.dataset.mail : pane.dataset.page, {
        method: "POST", body: new FormData(form), headers: { "X-Requested-With": "fetch", "X-Background": "1" },
      });
      const text = await response.text();
      if (asked !== source()) {
        isOutdated = true;
      } else if (response.ok && !response.redirected) {
        message.textContent = "";
        await show(text);
      } else if (response.status === 422) {
        message.textContent = pane.dataset.refused.replace("{reason}", text);
      } else {
        message.textContent = pane.dataset.away;
      }
    } catch {
      message.textContent = pane.dataset.away;
    }
    isAsking = false;
    if (isOutdated) update();
  }

  function later() {
    clearTimeout(waiting);
    waiting = setTimeout(update, PAUSE_MS);
  }

  // A page for a desktop is shown whole, but smaller.
  function fit() {
    if (!isOpen()) return;
    const room = box.clientWidth;
    const width = Math.max(kind === "desktop" ? WIDTHS.desktop : Math.min(WIDTHS[kind], room), 1);
    const scale = Math.min(1, room / width);
    frame.style.width = `${width}px`;
    frame.style.height = `${box.clientHeight / scale}px`;
    frame.style.transform = scale < 1 ? `scale(${scale})` : "";
    frame.style.marginInlineStart = `${Math.max(0, (room - width * scale) / 2)}px`;
  }

  function open(isWanted, isByHand) {
    pane.hidden = !isWanted;
    toggle?.setAttribute("aria-expanded", String(isWanted));
    pane.dispatchEvent(new CustomEvent("preview:toggled", { bubbles: true, detail: { isOpen: isWanted } }));
    if (isByHand) localStorage.setItem(pane.id, isWanted ? "on" : "off");
    if (!isWanted) return;
    fit();
    load();
  }

  // A mail may have styles of its own, a page may not: each has a frame with its own policy.
  function load() {
    if (frame.dataset.shows === source()) { update(); return; }
    frame.dataset.shows = "";
    sheets = "";
    frame.src = source();
  }

  frame.addEventListener("load", () => {
    if (!frame.src) return;
    frame.dataset.shows = frame.getAttribute("src");
    update();
  });
  for (const button of pane.querySelectorAll("[data-kind]")) {
    button.addEventListener("click", () => {
      kind = button.dataset.kind;
      for (const each of pane.querySelectorAll("[data-kind]")) each.setAttribute("aria-pressed", String(each === button));
      fit();
      load();
    });
  }
  dark.addEventListener("click", () => {
    dark.setAttribute("aria-pressed", String(dark.getAttribute("aria-pressed") !== "true"));
    colour();
  });
  new ResizeObserver(fit).observe(box);
  form.addEventListener("input", later);
  form.addEventListener("change", later);
  // The admin's own pickers tell jQuery only.
  window.django?.jQuery(form).on("change", later);
  if (!toggle) {
    open(true, false);
    return;
  }
  const close = () => {
    open(false, true);
    toggle.focus();
  };
  pane.querySelector("[data-close]").addEventListener("click", close);
  pane.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  toggle.hidden = false;
  toggle.addEventListener("click", () => open(!isOpen(), true));
  const isWide = window.matchMedia("(min-width: 64rem)").matches;
  if (isWide && localStorage.getItem(pane.id) === "on") open(true, false);
})();
