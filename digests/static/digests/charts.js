// Draws each canvas[data-chart] from the table that it names: first column labels, the others series.
"use strict";

const TONES = ["--color-primary-600", "--color-base-400", "--color-primary-300"];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "#475569";
}

function series(table) {
  const heads = [...table.tHead.rows[0].cells].slice(1).filter((cell) => cell.classList.contains("monitor-number"));
  const rows = [...table.tBodies[0].rows].filter((row) => row.querySelector("[data-value]"));
  return {
    labels: rows.map((row) => row.cells[0].textContent.trim().replace(/\s+/g, " ")),
    datasets: heads.map((head, at) => ({
      label: head.textContent.trim(),
      data: rows.map((row) => Number(row.querySelectorAll("[data-value]")[at].dataset.value)),
      backgroundColor: colour(TONES[at % TONES.length]),
      borderColor: colour(TONES[at % TONES.length]),
      pointRadius: 2,
      maxBarThickness: 24,
    })),
  };
}

function draw(canvas) {
  const table = document.getElementById(canvas.dataset.table);
  if (!table || !globalThis.Chart) return;
  const dark = document.documentElement.classList.contains("dark");
  const ink = colour(dark ? "--color-base-300" : "--color-base-600");
  const grid = colour(dark ? "--color-base-800" : "--color-base-200");
  const lies = canvas.dataset.lies === "flat";
  const short = (text) => (text.length > 28 ? `${text.slice(0, 27)}…` : text);
  const axis = { ticks: { color: ink, precision: 0 }, grid: { color: grid }, beginAtZero: true };
  const names = { ...axis, ticks: { color: ink, callback(value) { return short(this.getLabelForValue(value)); } } };
  Chart.getChart(canvas)?.destroy();
  new Chart(canvas, {
    type: canvas.dataset.chart,
    data: series(table),
    options: {
      animation: matchMedia("(prefers-reduced-motion: reduce)").matches ? false : { duration: 200 },
      indexAxis: lies ? "y" : "x",
      maintainAspectRatio: false,
      plugins: { legend: { labels: { color: ink } } },
      scales: lies ? { x: axis, y: names } : { x: names, y: axis },
    },
  });
}

const all = () => document.querySelectorAll("canvas[data-chart]").forEach(draw);
document.addEventListener("DOMContentLoaded", all);
new MutationObserver(all).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
