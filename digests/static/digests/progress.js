// Keeps the numbers above an issue's form fresh while it is being sent. Without this script a reload does.
"use strict";

const panel = () => document.getElementById("progress");
let timer;

function plan() {
  clearTimeout(timer);
  const seconds = Number(panel()?.dataset.seconds);
  if (seconds && !document.hidden) timer = setTimeout(refresh, seconds * 1000);
}

async function refresh() {
  const before = panel();
  try {
    const answer = await fetch(before.dataset.source, { credentials: "same-origin", redirect: "error" });
    if (!answer.ok) return; // logged out, or the issue is gone: the page stays as it is
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    const after = parsed.getElementById("progress");
    if (!after) return;
    if (after.dataset.actions !== before.dataset.actions) {
      location.reload(); // what can be done to the issue has changed, and the buttons with it
      return;
    }
    before.replaceWith(after);
  } catch {
    before.dataset.seconds = "30"; // the server is away; do not press it
  }
  plan();
}

document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : plan()));
document.addEventListener("DOMContentLoaded", plan);
