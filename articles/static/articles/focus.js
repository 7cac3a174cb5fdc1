// A ring on a picture: the point that is seen however the picture is cut. It is set by a press or by the arrow keys.
// PictureFocus(field, {x, y, label, changed}): `field` holds the <img>; `label` has the places {x} and {y}.
"use strict";

window.PictureFocus = (field, { x, y, label, changed }) => {
  const point = { x, y };
  const ring = document.createElement("button");
  ring.type = "button";
  ring.className = "focus-ring";
  field.append(ring);

  function show() {
    ring.style.left = `${point.x * 100}%`;
    ring.style.top = `${point.y * 100}%`;
    ring.setAttribute("aria-label", label.replace("{x}", Math.round(point.x * 100)).replace("{y}", Math.round(point.y * 100)));
  }
  function set(newX, newY) {
    point.x = Math.min(1, Math.max(0, Math.round(newX * 100) / 100));
    point.y = Math.min(1, Math.max(0, Math.round(newY * 100) / 100));
    show();
    changed(point.x, point.y);
  }
  function press(event) {
    const box = field.querySelector("img").getBoundingClientRect();
    set((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }
  field.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    ring.focus();
    field.setPointerCapture(event.pointerId);
    press(event);
  });
  field.addEventListener("pointermove", (event) => { if (field.hasPointerCapture(event.pointerId)) press(event); });
  ring.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 0.1 : 0.02;
    const move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (!move) return;
    event.preventDefault();
    set(point.x + move[0], point.y + move[1]);
  });
  show();
  return point;
};

document.addEventListener("DOMContentLoaded", () => {
  for (const field of document.querySelectorAll(".focus-field[data-focus-x]")) {
    const [x, y] = [field.dataset.focusX, field.dataset.focusY].map((id) => document.getElementById(id));
    if (!x || !y) continue;
    window.PictureFocus(field, {
      x: Number(x.value || 0.5), y: Number(y.value || 0.5), label: field.dataset.label,
      changed: (newX, newY) => { [x.value, y.value] = [newX, newY]; },
    });
  }
});
