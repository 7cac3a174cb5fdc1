// A story is dragged to another day. The form behind it is the one of "Move to…", which needs no script.
"use strict";

(() => {
  const form = document.getElementById("calendar-form");
  const message = document.getElementById("calendar-message");
  let dragged = null;

  for (const entry of document.querySelectorAll(".calendar-entry[draggable]")) {
    entry.addEventListener("dragstart", (event) => {
      dragged = entry;
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", entry.dataset.move);
    });
    entry.addEventListener("dragend", () => { dragged = null; });
  }

  for (const day of document.querySelectorAll(".calendar-day")) {
    day.addEventListener("dragover", (event) => {
      if (!dragged || day.contains(dragged)) return;
      event.preventDefault();
      day.classList.add("is-target");
    });
    day.addEventListener("dragleave", () => day.classList.remove("is-target"));
    day.addEventListener("drop", async (event) => {
      event.preventDefault();
      day.classList.remove("is-target");
      if (!dragged) return;
      form.elements.day.value = day.dataset.day;
      const response = await fetch(dragged.dataset.move, { method: "POST", body: new FormData(form) });
      if (response.redirected && response.ok) { window.location.reload(); return; }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const reason = page.querySelector("form ul li, form .text-red-600, .errorlist");
      message.textContent = reason ? reason.textContent.trim() : response.statusText;
    });
  }
})();
