// A story or an issue is dragged to another day. The form behind it is the one of "Move to…", which needs no script;
// it is shown where the move has to be confirmed.
"use strict";

(() => {
  const form = document.getElementById("calendar-form");
  const message = document.getElementById("calendar-message");
  let dragged = null;

  function say(words) {
    message.textContent = words;
    message.scrollIntoView({ block: "nearest" });
  }

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
      const { move, asks } = dragged.dataset;
      if (asks !== undefined) { window.location.assign(`${move}?${new URLSearchParams({ day: day.dataset.day })}`); return; }
      form.elements.day.value = day.dataset.day;
      let response;
      // The page that follows is not fetched: it has the sentence that says what moved, and has it once.
      try { response = await fetch(move, { method: "POST", body: new FormData(form), redirect: "manual" }); } catch { say(form.dataset.lost); return; }
      if (response.type === "opaqueredirect") { window.location.reload(); return; }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const reason = page.querySelector("form ul li, form .text-red-600, .errorlist");
      say(reason ? reason.textContent.trim() : response.statusText);
    });
  }
})();
