// Pictures on the page of a story: dropped or pasted into the text, uploaded with their words, or chosen from the
// library; the same for the picture above the story. See focus.js for the ring, markdown-editor.js for `editor`.
"use strict";

(() => {
  const source = document.getElementById("picture-source");
  if (!source) return;
  document.body.append(source.content.cloneNode(true));
  const dialog = document.getElementById("picture-dialog");
  const { dataset } = dialog;
  const form = dialog.querySelector("form");
  const entries = dialog.querySelector(".picture-entries");
  const grid = dialog.querySelector(".picture-grid");
  const problem = form.querySelector(":scope > .picture-problem");
  const search = dialog.querySelector(".picture-search");
  const size = dialog.querySelector(".picture-size select");
  const input = dialog.querySelector('input[type="file"]');
  const MOST_BYTES = 10 * 1024 * 1024;
  const uploads = new Set();
  let use = () => {};
  let chosen = null;
  let isSending = false;

  const isPicture = (file) => file.type.startsWith("image/");
  const pictures = (transfer) => [...(transfer?.files ?? [])].filter(isPicture);

  // As a line of the text: brackets and quotation marks would end it too early.
  function line(picture, caption = "") {
    const alt = picture.alt.replace(/\s+/g, " ").replaceAll("[", "(").replaceAll("]", ")");
    const words = caption.replace(/\s+/g, " ").replace(/"([^"]*)"/g, "“$1”").replaceAll('"', "”");
    return `![${alt}](image:${picture.id}${words ? ` "${words}"` : ""})${size.value}`;
  }

  function view(name) {
    for (const button of dialog.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === name));
    for (const panel of dialog.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== name;
    if (name === "library") { find(); search.focus(); }
  }
  const isLibrary = () => !dialog.querySelector('[data-panel="library"]').hidden;

  function open({ files = [], into, isLead = false }) {
    use = into;
    size.closest("label").hidden = isLead;
    size.value = "";
    input.multiple = !isLead;
    problem.textContent = "";
    if (!dialog.open) dialog.showModal();
    view("upload");
    for (const file of isLead ? files.slice(0, 1) : files) add(file);
    if (!files.length) input.focus();
  }

  function add(file) {
    const entry = dialog.querySelector("template").content.firstElementChild.cloneNode(true);
    const image = entry.querySelector("img");
    const upload = { file, entry, point: { x: 0.5, y: 0.5 } };
    image.src = URL.createObjectURL(file);
    image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
    upload.point = window.PictureFocus(entry.querySelector(".focus-field"), {
      ...upload.point, label: dataset.focus, changed: () => {},
    });
    const credit = entry.querySelector('[name="credit"]');
    credit.value = [...uploads].at(-1)?.entry.querySelector('[name="credit"]').value ?? "";
    entry.querySelector(".picture-remove").addEventListener("click", () => {
      uploads.delete(upload);
      entry.remove();
      input.focus();
    });
    if (!input.multiple) { uploads.clear(); entries.replaceChildren(); }
    uploads.add(upload);
    entries.append(entry);
    if (uploads.size === 1) entry.querySelector('[name="alt"]').focus();
    if (file.size > MOST_BYTES) say(upload, dataset.size);
  }

  function say(upload, words, field) {
    upload.entry.querySelector(".picture-problem").textContent = words;
    if (field) upload.entry.querySelector(`[name="${field}"]`)?.focus();
  }

  function send(upload) {
    const data = new FormData();
    data.append("file", upload.file, upload.file.name || "picture");
    for (const field of upload.entry.querySelectorAll("[name]")) data.append(field.name, field.value);
    data.append("x", upload.point.x);
    data.append("y", upload.point.y);
    const bar = upload.entry.querySelector("progress");
    bar.hidden = false;
    bar.value = 0;
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open("POST", dataset.upload);
      request.setRequestHeader("X-CSRFToken", document.querySelector('[name="csrfmiddlewaretoken"]').value);
      request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) bar.value = event.loaded / event.total; });
      request.addEventListener("loadend", () => {
        bar.hidden = true;
        let reply = {};
        try { reply = JSON.parse(request.responseText); } catch { reply = { errors: { "": request.status ? dataset.ended : dataset.lost } }; }
        resolve(reply);
      });
      request.send(data);
    });
  }

  async function uploadAll() {
    const waiting = [...uploads];
    const silent = waiting.filter((upload) => !upload.entry.querySelector('[name="alt"]').value.trim());
    for (const upload of waiting) say(upload, upload.file.size > MOST_BYTES ? dataset.size : "");
    for (const upload of silent.reverse()) say(upload, dataset.alt, "alt");
    if (silent.length || waiting.some((upload) => upload.file.size > MOST_BYTES)) return;
    isSending = true;
    form.querySelector("[data-insert]").disabled = true;
    for (const upload of waiting) {
      const { picture, errors } = await send(upload);
      if (!picture) {
        const [field, words] = Object.entries(errors)[0];
        say(upload, words, field || "alt");
        continue;
      }
      uploads.delete(upload);
      upload.entry.remove();
      use(picture);
    }
    isSending = false;
    form.querySelector("[data-insert]").disabled = false;
    if (!uploads.size) dialog.close();
  }

  // The pictures that these words fit; nothing where there is no answer, and the dialog says why.
  async function ask(words) {
    let response;
    try { response = await fetch(`${dataset.search}?${new URLSearchParams({ q: words })}`); } catch { problem.textContent = dataset.lost; return null; }
    // Who is signed out gets a page instead.
    try { return (await response.json()).pictures; } catch { problem.textContent = dataset.ended; return null; }
  }

  async function find() {
    const words = search.value;
    const rows = await ask(words);
    if (!rows || words !== search.value) return;
    problem.textContent = "";
    chosen = null;
    dialog.querySelector(".picture-none").textContent = rows.length ? "" : dataset.none;
    grid.replaceChildren(...rows.map((picture, place) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", "false");
      button.tabIndex = place ? -1 : 0;
      button.title = [picture.alt, picture.credit].filter(Boolean).join(" · ");
      const image = document.createElement("img");
      image.src = picture.small;
      image.alt = picture.alt;
      image.loading = "lazy";
      image.className = picture.focus;
      button.append(image);
      button.addEventListener("click", () => choose(button, picture));
      button.addEventListener("dblclick", () => form.requestSubmit());
      item.append(button);
      return item;
    }));
  }

  function choose(button, picture) {
    for (const each of grid.querySelectorAll("button")) {
      each.setAttribute("aria-pressed", String(each === button));
      each.tabIndex = each === button ? 0 : -1;
    }
    chosen = picture;
  }

  // The arrow keys move in the grid, which is one stop for the tabulator.
  grid.addEventListener("keydown", (event) => {
    const all = [...grid.querySelectorAll("button")];
    const at = all.indexOf(document.activeElement);
    const top = all[0]?.offsetTop;
    const columns = Math.max(1, all.filter((button) => button.offsetTop === top).length);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (at < 0 || !step) return;
    event.preventDefault();
    const next = all[at + step];
    if (!next) return;
    all[at].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });

  let pause = 0;
  search.addEventListener("input", () => { clearTimeout(pause); pause = setTimeout(find, 200); });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
    if (event.key === "ArrowDown") { event.preventDefault(); grid.querySelector("button")?.focus(); }
  });
  for (const button of dialog.querySelectorAll("[data-view]")) button.addEventListener("click", () => view(button.dataset.view));
  for (const button of dialog.querySelectorAll("[data-close]")) button.addEventListener("click", () => { if (!isSending) dialog.close(); });
  input.addEventListener("change", () => { for (const file of [...input.files].filter(isPicture)) add(file); input.value = ""; });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (isSending) return;
    if (isLibrary()) {
      if (!chosen) { search.focus(); return; }
      use(chosen);
      dialog.close();
    } else if (uploads.size) uploadAll();
    else input.focus();
  });
  dialog.addEventListener("cancel", (event) => { if (isSending) event.preventDefault(); });
  // What was given up must not come back with the next picture, which is meant for another place.
  dialog.addEventListener("close", () => { uploads.clear(); entries.replaceChildren(); });
  for (const kind of ["dragover", "drop"]) dialog.addEventListener(kind, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    if (kind !== "drop") return;
    view("upload");
    for (const file of pictures(event.dataTransfer)) add(file);
  });
  dialog.addEventListener("paste", (event) => {
    const files = pictures(event.clipboardData);
    if (!files.length) return;
    event.preventDefault();
    view("upload");
    for (const file of files) add(file);
  });

  // In the text
  const area = document.querySelector('.story-editor [name="body_markdown"]');

  function insert(picture) {
    const text = line(picture);
    if (area.editor) { area.editor.insert(text); area.editor.focus(); return; }
    const before = area.value.slice(0, area.selectionEnd);
    area.setRangeText(`${before ? "\n\n" : ""}${text}\n\n`, area.selectionEnd, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
    area.focus();
  }

  // Before the editor itself, which would read a dropped file as text.
  function take(box) {
    box.addEventListener("dragover", (event) => {
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    }, true);
    box.addEventListener("drop", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.stopPropagation();
      const files = pictures(event.dataTransfer);
      const at = area.editor?.view?.posAtCoords({ x: event.clientX, y: event.clientY });
      if (at) area.editor.view.dispatch({ selection: { anchor: at } });
      if (files.length) open({ files, into: insert });
    }, true);
    // Word processors put a picture of the text beside the text: then the text is meant.
    box.addEventListener("paste", (event) => {
      const files = pictures(event.clipboardData);
      if (!files.length || event.clipboardData.types.includes("text/plain")) return;
      event.preventDefault();
      event.stopPropagation();
      open({ files, into: insert });
    }, true);
  }

  function attach() {
    const openDialog = () => open({ into: insert });
    take(area.editor?.element ?? area);
    if (area.editor) { area.editor.addTool("picture", "image", dataset.open, openDialog); return; }
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "desk-button", textContent: dataset.open });
    button.addEventListener("click", openDialog);
    area.before(button);
  }
  if (area) {
    let isAttached = false;
    const once = () => { if (!isAttached) { isAttached = true; attach(); } };
    area.addEventListener("editor:ready", once);
    if (area.editor) once();
    window.addEventListener("load", once);
  }

  // Above the story
  const select = document.querySelector('.story-editor [name="lead_image"]');
  if (select) {
    const lead = dialog.querySelector("template[data-lead]").content.firstElementChild.cloneNode(true);
    const image = lead.querySelector("img");
    const [choice, none] = [lead.querySelector("[data-choose]"), lead.querySelector("[data-none]")];
    const show = (picture) => {
      image.hidden = none.hidden = !picture;
      if (picture) { image.src = picture.small; image.alt = picture.alt; image.className = picture.focus; }
    };
    const set = (picture) => {
      if (picture && !select.querySelector(`option[value="${picture.id}"]`)) select.append(new Option(picture.alt, picture.id));
      select.value = picture?.id ?? "";
      (window.django?.jQuery ?? window.jQuery)?.(select).trigger("change");
      select.dispatchEvent(new Event("change", { bubbles: true }));
      show(picture);
    };
    const look = async () => {
      if (!select.value) { show(null); return; }
      const rows = await ask(select.value);
      show(rows?.find((picture) => String(picture.id) === select.value) ?? null);
    };
    choice.addEventListener("click", () => open({ into: set, isLead: true }));
    none.addEventListener("click", () => set(null));
    (window.django?.jQuery ?? window.jQuery)?.(select).on("select2:select select2:clear", look);
    (select.closest(".related-widget-wrapper") ?? select).before(lead);
    takeLead(lead, set);
    look();
  }

  function takeLead(box, set) {
    box.addEventListener("dragover", (event) => event.preventDefault());
    box.addEventListener("drop", (event) => {
      event.preventDefault();
      const files = pictures(event.dataTransfer);
      if (files.length) open({ files, into: set, isLead: true });
    });
  }
})();
