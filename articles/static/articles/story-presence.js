// Who else has the story open, and whether somebody saved it meanwhile: asked every ten seconds while it is looked at.
"use strict";

(() => {
  const box = document.getElementById("story-presence");
  if (!box) return;
  const form = document.getElementById("story-editor").closest("form");
  const words = JSON.parse(document.getElementById("story-words").textContent);
  const address = `${box.dataset.url}?token=${form.elements.copy.value}`;
  const EVERY_MS = 10000;
  const headers = () => ({ "X-Requested-With": "fetch", "X-Background": "1", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value });

  function show({ others, last }) {
    const names = others.filter((other) => !other.self).map((other) => other.name);
    const sentences = [];
    if (names.length) sentences.push(words.others.replace("{names}", new Intl.ListFormat((document.documentElement.lang || "en").replace(/^en$/, "en-GB")).format(names)));
    if (others.some((other) => other.self)) sentences.push(words.self);
    if (last && last.number > Number(form.elements.base.value || 0)) {
      const at = new Intl.DateTimeFormat(document.documentElement.lang || "en", { timeStyle: "short", hourCycle: "h23", timeZone: box.dataset.zone });
      sentences.push(words.newer.replace("{name}", last.by || words.somebody).replace("{time}", at.format(new Date(last.at))));
    }
    const text = sentences.join(" ");
    if (box.textContent !== text) box.textContent = text;
  }

  async function ask() {
    if (document.hidden) return;
    try {
      const response = await fetch(address, { method: "POST", headers: headers() });
      if (response.ok && !response.redirected) show(await response.json());
    } catch {
      // Who else is here is not worth a word about the connection; what is typed has its own.
    }
  }

  ask();
  setInterval(ask, EVERY_MS);
  document.addEventListener("visibilitychange", ask);
  window.addEventListener("pagehide", () => fetch(`${address}&leave`, { method: "POST", headers: headers(), keepalive: true }).catch(() => {}));
})();
