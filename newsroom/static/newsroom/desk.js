// The few things of the desk's own pages that need a script.
"use strict";

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});

// A page that a worker changes is fetched again until it says that nothing is going on.
async function refresh(part) {
  const response = await fetch(location.href, { headers: { "X-Requested-With": "fetch" } });
  if (!response.ok || response.redirected) return;
  const latest = new DOMParser().parseFromString(await response.text(), "text/html").getElementById(part.id);
  if (!latest) return;
  part.replaceWith(latest);
  follow(latest);
}

function follow(part) {
  if (part?.dataset.refresh) setTimeout(() => refresh(part).catch(() => follow(part)), part.dataset.refresh * 1000);
}

document.querySelectorAll("[data-refresh]").forEach(follow);
