// The page on which a story is written: what it counts, its bar and its panel. Other scripts take part through
// the element `.story-editor`: its property `editor` (see markdown-editor.js) and its event `editor:ready`. Sections of
// the panel are `<details class="story-section">`.
"use strict";

(() => {
  const desk = document.getElementById("story-editor");
  if (!desk) return;
  const form = desk.closest("form");
  const counted = document.getElementById("story-count");
  const NARROW = window.matchMedia("(max-width: 63.99rem)");

  // As readers get it: without the marks of Markdown, without pictures' numbers and links' addresses.
  function words(text) {
    const plain = text.replace(/!\[[^\]]*\]\([^)]*\)/g, " ").replace(/\]\([^)]*\)/g, "] ").replace(/[*_~`#>|[\]]+/g, " ");
    return (plain.match(/[\p{L}\p{N}][\p{L}\p{N}\p{M}'’.-]*/gu) ?? []).length;
  }

  function count(text) {
    const number = words(text);
    const minutes = Math.max(1, Math.round(number / 220));
    const shown = new Intl.NumberFormat(document.documentElement.lang || "en").format(number);
    counted.textContent = counted.dataset.sentence.replace("{words}", shown).replace("{minutes}", minutes);
  }

  // Headline and standfirst are as tall as their words.
  function fit(area) {
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight + 2}px`;
  }

  const headline = form.querySelector('[name="headline"]');
  headline.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    form.querySelector('[name="standfirst"]').focus();
  });
  // A new story begins here. The admin puts the cursor into the first thing of the form, once its own script is there.
  if (!headline.value) {
    headline.focus();
    window.addEventListener("load", () => headline.focus());
  }
  const areas = [headline, form.querySelector('[name="standfirst"]')];
  for (const area of areas) area.addEventListener("input", () => fit(area));
  new ResizeObserver(() => areas.forEach(fit)).observe(headline.parentElement);

  const body = form.querySelector('[name="body_markdown"]');
  let waiting = 0;
  body.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => count(body.value), 150);
  });
  count(body.value);

  const toggle = document.getElementById("story-side-toggle");
  const side = document.getElementById("story-side");
  function show(isOpen) {
    desk.dataset.side = isOpen ? "on" : "off";
    toggle.setAttribute("aria-expanded", String(isOpen));
  }
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    show(desk.dataset.side !== "on");
    if (desk.dataset.side === "on" && NARROW.matches) side.querySelector("summary, input, select, textarea, button")?.focus();
  });
  // What was refused in the panel must be seen; otherwise a narrow screen begins with the text.
  show(!NARROW.matches || side.querySelector(".errorlist") !== null);
  NARROW.addEventListener("change", () => show(!NARROW.matches));
  // Three columns need a wide screen; the details can be opened again.
  desk.addEventListener("preview:toggled", ({ detail }) => {
    desk.dataset.preview = detail.isOpen ? "on" : "off";
    if (detail.isOpen && window.innerWidth < 1600) show(false);
  });

  // The admin's pickers leave their search field without a name, and put a button among the items of a list.
  function name(picker) {
    const { id } = picker.previousElementSibling ?? {};
    const label = document.querySelector(`label[for="${id}"]`);
    const words = label?.textContent.trim() || document.getElementById("bylines-heading")?.textContent.trim() || "";
    for (const field of picker.querySelectorAll(".select2-search__field")) field.setAttribute("aria-label", words);
    for (const box of picker.querySelectorAll(".select2-selection--single")) {
      if (label) {
        label.id ||= `${id}_label`;
        box.setAttribute("aria-labelledby", `${label.id} select2-${id}-container`);
      } else {
        box.setAttribute("aria-label", words);
      }
      const value = box.querySelector(".select2-selection__rendered");
      value?.removeAttribute("role");
      value?.removeAttribute("aria-readonly");
    }
    for (const part of picker.querySelectorAll("ul.select2-selection__rendered, ul.select2-selection__rendered > li")) part.setAttribute("role", "none");
  }

  const nameAll = () => side.querySelectorAll(".select2-container").forEach(name);
  new MutationObserver(nameAll).observe(side, { childList: true, subtree: true });
  nameAll();

  document.addEventListener("keydown", (event) => {
    if (!(event.metaKey || event.ctrlKey) || event.altKey || event.shiftKey || event.key.toLowerCase() !== "s") return;
    event.preventDefault();
    form.requestSubmit(form.querySelector('[name="_continue"]'));
  });

  // "Save" brings the page again: the writer goes on where the caret was.
  const CARET = "story:caret";
  let last = null;
  form.querySelector(".story-desk").addEventListener("focusin", ({ target }) => {
    if (target.closest(".cm-content")) last = body;
    else if (target.matches("textarea, input:not([type=checkbox], [type=hidden])")) last = target;
  });
  form.addEventListener("submit", ({ submitter }) => {
    if (submitter?.name !== "_continue" || !last?.name) return;
    const { from, to } = last.editor?.view.state.selection.main ?? { from: last.selectionStart, to: last.selectionEnd };
    sessionStorage.setItem(CARET, JSON.stringify({ name: last.name, from, to, scroll: window.scrollY }));
  });
  const caret = JSON.parse(sessionStorage.getItem(CARET));
  sessionStorage.removeItem(CARET);
  const field = caret && !form.querySelector(".errorlist") && form.elements[caret.name];
  if (field) window.addEventListener("load", () => {
    window.scrollTo({ top: caret.scroll, behavior: "instant" });
    if (field.editor) {
      const { view } = field.editor;
      const most = view.state.doc.length;
      view.dispatch({ selection: { anchor: Math.min(caret.from, most), head: Math.min(caret.to, most) } });
      view.contentDOM.focus({ preventScroll: true });
      return;
    }
    field.focus({ preventScroll: true });
    if (caret.from !== null) field.setSelectionRange(caret.from, caret.to);
  });
})();
