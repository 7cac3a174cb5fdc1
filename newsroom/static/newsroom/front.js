// Stories and sections are dragged, or moved by the buttons without asking the server. What is sent is the form.
"use strict";

(() => {
  const form = document.querySelector(".front-form");
  const message = document.getElementById("front-message");
  let dragged = null;

  function say(item) {
    const list = item.parentElement;
    message.textContent = form.dataset.moved
      .replace("{place}", [...list.children].indexOf(item) + 1)
      .replace("{count}", list.children.length)
      .replace("{name}", item.querySelector("b").textContent);
  }

  // Up and down within a list. Everything else asks the server, which shows the form again.
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[name=move]");
    const [, step] = button ? button.value.split(" ") : [];
    if (step !== "up" && step !== "down") return;
    event.preventDefault();
    const item = button.closest(".front-item");
    const other = step === "up" ? item.previousElementSibling : item.nextElementSibling;
    if (!other) return;
    if (step === "up") other.before(item); else other.after(item);
    button.focus();
    say(item);
  });

  for (const item of form.querySelectorAll(".front-item")) {
    item.addEventListener("dragstart", (event) => {
      dragged = item;
      item.classList.add("is-dragged");
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", item.dataset.number);
    });
    item.addEventListener("dragend", () => { item.classList.remove("is-dragged"); dragged = null; });
  }

  function press(value) {
    const button = document.createElement("button");
    Object.assign(button, { name: "move", value, hidden: true });
    form.append(button);
    form.requestSubmit(button);
  }

  for (const list of form.querySelectorAll(".front-list[data-kind]")) {
    const { kind } = list.dataset;
    const fits = () => dragged && (list.contains(dragged) || (kind === "story" && dragged.closest(".front-list--offered")));
    list.addEventListener("dragover", (event) => {
      if (!fits()) return;
      event.preventDefault();
      list.classList.add("is-target");
      if (!list.contains(dragged)) return;
      const over = event.target.closest(".front-item");
      if (!over || over === dragged) return;
      const half = over.getBoundingClientRect();
      if (event.clientY < half.top + half.height / 2) over.before(dragged); else over.after(dragged);
    });
    list.addEventListener("dragleave", () => list.classList.remove("is-target"));
    list.addEventListener("drop", (event) => {
      event.preventDefault();
      list.classList.remove("is-target");
      if (!fits()) return;
      if (list.contains(dragged)) { say(dragged); return; }
      if (list.children.length >= Number(form.dataset.most)) { message.textContent = form.dataset.full; return; }
      const first = list.querySelector(".front-item");
      const leads = !first || event.clientY < first.getBoundingClientRect().top + first.offsetHeight / 2;
      press(`story ${leads ? "lead" : "add"} ${dragged.dataset.number}`);
    });
  }
})();
