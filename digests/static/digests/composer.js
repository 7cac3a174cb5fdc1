// The composer: stories by drag or by buttons, the inbox line, the looks of the mail, the time to take it back.
// Without this script the order is the one on record, and everything else works.
"use strict";

const stories = document.getElementById("stories");
const form = document.getElementById("issue_form");

function number() {
  [...stories.children].forEach((row, at) => {
    row.querySelector(".desk-position").value = at;
    row.querySelector("[data-move='-1']").disabled = at === 0;
    row.querySelector("[data-move='1']").disabled = at === stories.children.length - 1;
  });
}

function changed() {
  document.getElementById("unsaved").hidden = false;
}

function announce(row) {
  const news = document.getElementById("stories-news");
  const at = [...stories.children].indexOf(row) + 1;
  news.textContent = `${row.querySelector(".desk-headline").textContent} ${news.dataset.moved} ${at}`;
}

function move(row, by) {
  const other = by < 0 ? row.previousElementSibling : row.nextElementSibling;
  if (!other) return;
  if (by < 0) other.before(row);
  else other.after(row);
  number();
  changed();
  announce(row);
}

function draggable() {
  let dragged = null;
  stories.addEventListener("dragstart", (event) => {
    if (event.target.closest("input, textarea")) return event.preventDefault();
    dragged = event.target.closest(".desk-story");
    dragged.classList.add("is-dragged");
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", "");
  });
  stories.addEventListener("dragover", (event) => {
    const over = event.target.closest(".desk-story");
    if (!dragged || !over) return;
    event.preventDefault();
    const box = over.getBoundingClientRect();
    if (over !== dragged) event.clientY < box.top + box.height / 2 ? over.before(dragged) : over.after(dragged);
  });
  stories.addEventListener("drop", (event) => event.preventDefault());
  stories.addEventListener("dragend", () => {
    if (!dragged) return;
    dragged.classList.remove("is-dragged");
    number();
    changed();
    announce(dragged);
    dragged = null;
  });
  // A row that is being dragged cannot be written in: text is selected as usual.
  stories.addEventListener("focusin", (event) => {
    const row = event.target.closest(".desk-story");
    if (event.target.matches("input[type=text], textarea")) row.draggable = false;
  });
  stories.addEventListener("focusout", (event) => (event.target.closest(".desk-story").draggable = true));
}

function inboxLine() {
  for (const name of ["subject", "preheader"]) {
    const field = document.getElementById(`id_${name}`);
    const line = document.getElementById(`inbox-${name}`);
    if (!field || !line) continue;
    const show = () => {
      line.textContent = field.value.trim() || line.dataset.empty;
      const count = document.getElementById(`${name}-count`);
      if (count) count.textContent = `${[...line.textContent].length} ${count.dataset.words}`;
    };
    field.addEventListener("input", show);
    show();
  }
}

function looks() {
  const frame = document.getElementById("look");
  const buttons = document.querySelectorAll("[data-look]");
  for (const button of buttons) {
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      const look = button.dataset.look;
      frame.classList.toggle("is-phone", look === "phone");
      frame.src = `${frame.dataset.source}${look === "phone" ? "html" : look}/`;
    });
  }
}

// Who may be meant, offered while one types; the form works with what is typed alone.
function readerSearch(form) {
  const field = form.elements.reader;
  const list = document.getElementById("reader-found");
  let pause = 0;
  field.addEventListener("input", (event) => {
    clearTimeout(pause);
    // Chosen from the list, not typed.
    if (!event.inputType || event.inputType === "insertReplacementText") { form.requestSubmit(); return; }
    pause = setTimeout(async () => {
      const typed = field.value;
      try {
        const response = await fetch(form.dataset.find, { method: "POST", body: new FormData(form) });
        const { readers } = await response.json();
        if (typed === field.value) list.replaceChildren(...readers.map(([address, name]) => new Option(name, address)));
      } catch { list.replaceChildren(); }
    }, 200);
  });
}

function countdown() {
  const place = document.getElementById("countdown");
  if (!place) return;
  const ends = performance.now() + Number(place.dataset.seconds) * 1000;
  const tick = setInterval(() => {
    const left = Math.max(0, Math.round((ends - performance.now()) / 1000));
    place.firstElementChild.textContent = left;
    if (left > 0) return;
    clearInterval(tick);
    place.textContent = place.dataset.over;
    setTimeout(() => location.reload(), 3000);
  }, 1000);
}

if (stories) {
  number();
  draggable();
  stories.addEventListener("click", (event) => {
    const button = event.target.closest("[data-move]");
    if (!button) return;
    move(button.closest(".desk-story"), Number(button.dataset.move));
    if (!button.disabled) button.focus();
  });
  stories.addEventListener("change", (event) => {
    if (event.target.type === "checkbox") event.target.closest(".desk-story").classList.toggle("is-out", !event.target.checked);
  });
}
if (form) {
  form.addEventListener("input", changed);
  inboxLine();
}
if (document.getElementById("look")) looks();
const asReader = document.querySelector(".desk-reader");
if (asReader) readerSearch(asReader);
countdown();
