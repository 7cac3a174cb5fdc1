// The button that copies the address of a story. Without this script, or without a clipboard, it is not there.
"use strict";

const button = document.querySelector("[data-copy]");
if (button && navigator.clipboard) {
  const words = button.textContent;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = button.dataset.done;
    setTimeout(() => { button.textContent = words; }, 2500);
  });
  button.parentElement.classList.add("is-ready");
}
