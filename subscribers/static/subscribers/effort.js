"use strict";

// Solves the form's challenge (Altcha's format) while its reader chooses. Without a script the reader waits instead.
{
  const form = document.querySelector("form[data-challenge]");
  const TOGETHER = 500;

  const solve = async ({ challenge, salt, maxnumber }) => {
    const encoder = new TextEncoder();
    const wanted = Uint8Array.from(challenge.match(/../g), (pair) => parseInt(pair, 16));
    for (let first = 0; first <= maxnumber; first += TOGETHER) {
      const numbers = Array.from({ length: TOGETHER }, (_, place) => first + place);
      const hashes = await Promise.all(
        numbers.map((number) => crypto.subtle.digest("SHA-256", encoder.encode(salt + number))),
      );
      const place = hashes.findIndex((hash) => {
        const bytes = new Uint8Array(hash);
        return wanted.every((byte, index) => byte === bytes[index]);
      });
      if (place >= 0) return numbers[place];
    }
    throw new Error("The challenge has no solution.");
  };

  // A page that is not from https or this machine has no crypto.subtle: then the reader waits.
  if (form && window.crypto?.subtle) {
    const challenge = JSON.parse(form.dataset.challenge);
    const status = form.querySelector("[data-computing]");
    let isOver = false;
    const work = solve(challenge)
      .then((number) => {
        const { maxnumber, ...rest } = challenge;
        form.elements.altcha.value = btoa(JSON.stringify({ ...rest, number }));
        status.textContent = status.dataset.done;
      })
      .catch(() => {})
      .finally(() => { isOver = true; });
    form.addEventListener("submit", (event) => {
      if (isOver) return;
      event.preventDefault();
      status.textContent = status.dataset.computing;
      work.finally(() => form.requestSubmit());
    });
  }
}
