// The panels beside a story: the checklist follows what is typed, and comments come and go without leaving the page.
"use strict";

(() => {
  const desk = document.getElementById("story-editor");
  const panel = document.querySelector("#story-checklist .story-panel");
  if (!desk || !panel) return;
  const form = desk.closest("form");
  const PAUSE_MS = 1500;
  const AGAIN_MS = 4000;
  let waiting = 0;
  let isAsking = false;

  async function check() {
    if (isAsking) { later(PAUSE_MS); return; }
    isAsking = true;
    try {
      const response = await fetch(panel.dataset.url, {
        method: "POST", body: new FormData(form), headers: { "X-Requested-With": "fetch", "X-Background": "1" },
      });
      if (response.ok && !response.redirected) {
        const html = await response.text();
        // A reader of the screen hears it only when something changed.
        if (html !== panel.dataset.last) panel.innerHTML = html;
        panel.dataset.last = html;
      }
    } catch {
      // The last checklist stays; the editor itself says that there is no connection.
    }
    isAsking = false;
  }

  function later(pause) {
    clearTimeout(waiting);
    waiting = setTimeout(check, pause);
  }

  form.addEventListener("input", () => later(PAUSE_MS));
  form.addEventListener("change", () => later(PAUSE_MS));
  // The admin's own pickers tell jQuery only.
  window.django?.jQuery(form).on("change", () => later(PAUSE_MS));
  // Links that were being looked up when the page was made are known a moment later.
  later(AGAIN_MS);

  const comments = document.querySelector("#story-comments .story-panel");
  const sender = document.getElementById("story-comment-form");
  if (!comments || !sender) return;

  function quote() {
    const text = form.querySelector('[name="body_markdown"]');
    const chosen = (window.getSelection()?.toString() || text.value.slice(text.selectionStart, text.selectionEnd)).trim();
    if (!chosen || comments.contains(document.activeElement)) return;
    comments.querySelector('[name="comment_quote"]').value = chosen.slice(0, 500);
    const shown = comments.querySelector(".story-quote");
    shown.textContent = chosen.slice(0, 500);
    shown.hidden = false;
  }
  document.addEventListener("selectionchange", () => {
    if (form.querySelector(".story-page")?.contains(document.getSelection()?.anchorNode)) quote();
  });

  sender.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.submitter;
    const data = new FormData(sender, button);
    const response = await fetch(button?.getAttribute("formaction") || sender.getAttribute("action"), {
      method: "POST", body: data, headers: { "X-Requested-With": "fetch" },
    });
    if (!response.ok || response.redirected) { window.location.reload(); return; }
    comments.innerHTML = await response.text();
    comments.querySelector("#story-comment-text").focus();
  });
})();
