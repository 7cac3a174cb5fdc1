// Keeps the numbers of an issue's page fresh while it is being sent. Without this script a reload does.
"use strict";

const panel = () => document.getElementById("progress");
let timer;

function plan() {
  clearTimeout(timer);
  const seconds = Number(panel()?.dataset.seconds);
  if (seconds && !document.hidden) timer = setTimeout(refresh, seconds * 1000);
}

// A screen reader hears of a new state and of each tenth, not of each number.
function announce(before, after) {
  const place = document.getElementById("progress-news");
  const tenth = (one) => {
    const bar = one.querySelector("[role=progressbar]");
    return bar ? Math.floor((10 * bar.getAttribute("aria-valuenow")) / (bar.getAttribute("aria-valuemax") || 1)) : 0;
  };
  if (place && (before.dataset.state !== after.dataset.state || tenth(before) !== tenth(after))) {
    place.textContent = after.dataset.news;
  }
}

// The link or summary that has the focus, and what is unfolded, stay so.
function exchange(before, after) {
  const focus = before.contains(document.activeElement) ? document.activeElement : null;
  for (const open of before.querySelectorAll("details[open][id]")) {
    after.querySelector(`#${open.id}`)?.setAttribute("open", "");
  }
  before.replaceWith(after);
  if (focus?.tagName === "SUMMARY") document.getElementById(focus.parentElement.id)?.querySelector("summary").focus();
  if (focus?.href) [...after.querySelectorAll("a")].find((link) => link.href === focus.href)?.focus();
}

async function refresh() {
  const before = panel();
  try {
    // The header tells the session's clock that nobody did this by hand.
    const response = await fetch(before.dataset.source, {
      credentials: "same-origin",
      redirect: "error",
      headers: { "X-Background": "1" },
    });
    if (!response.ok) return; // logged out, or the issue is gone: the page stays as it is
    const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
    const after = parsed.getElementById("progress");
    const isOver = after && Number(before.dataset.seconds) && !Number(after.dataset.seconds);
    if (!after || after.dataset.page !== before.dataset.page || isOver) {
      location.reload(); // the issue has another page now, or its statistics
      return;
    }
    announce(before, after);
    exchange(before, after);
  } catch {
    before.dataset.seconds = "30"; // the server is away; do not press it
  }
  plan();
}

document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : plan()));
document.addEventListener("DOMContentLoaded", plan);
