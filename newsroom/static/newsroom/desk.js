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

// A segment is counted again when one of its lines changes; the button "Count" does the same.
document.querySelectorAll("form[data-live-count]").forEach((form) => {
  let waiting, latest = 0;
  const count = async () => {
    const mine = ++latest, data = new FormData(form);
    data.append("act", "count");
    const response = await fetch(location.href, { method: "POST", body: data });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const number = page.getElementById(form.dataset.liveCount);
    if (number && mine === latest) document.getElementById(number.id).replaceChildren(...number.childNodes);
  };
  form.addEventListener("change", (event) => {
    if (event.target.name === "name" || "notCounted" in event.target.dataset) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => count().catch(() => {}), 200);
  });
});

// A text to be pasted elsewhere: the button says when it was copied.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  await navigator.clipboard?.writeText(field.value).catch(() => document.execCommand("copy"));
  button.textContent = button.dataset.copied;
});

// The labels of a list on a phone begin like the head of the table on a desk.
document.addEventListener("DOMContentLoaded", () => {
  for (const { dataset } of document.querySelectorAll("#result_list [data-label]")) {
    dataset.label = dataset.label.charAt(0).toLocaleUpperCase(document.documentElement.lang) + dataset.label.slice(1);
  }
});

// What django-unfold and select2 leave without a name for a screen reader.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".simplebar-content-wrapper").forEach((box) => box.removeAttribute("role"));
  document.querySelectorAll("th").forEach((cell) => {
    if (!cell.textContent.trim() && !cell.querySelector("input, img")) cell.setAttribute("aria-hidden", "true");
  });
});

window.addEventListener("load", () => {
  document.querySelectorAll("select + .select2-container").forEach((box) => {
    const label = box.previousElementSibling.labels?.[0]?.textContent.trim();
    if (!label) return;
    box.querySelectorAll(".select2-selection, .select2-search__field").forEach((part) => {
      part.removeAttribute("aria-labelledby");
      part.setAttribute("aria-label", label);
    });
  });
});
