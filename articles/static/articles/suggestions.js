// While somebody types into the search: headlines and names with these words, as the field's own suggestions.
// One that is chosen leads to its page. Without this script the form finds the same.
(() => {
  "use strict";

  const PAUSE = 150;
  const form = document.querySelector("[data-suggestions]");
  const field = form && form.querySelector("[list]");
  if (!field) return;

  const list = field.list;
  const addresses = new Map();
  let timer = 0;
  let latest = "";

  const show = (suggestions) => {
    addresses.clear();
    list.replaceChildren(...suggestions.map(({ title, about, url }) => {
      addresses.set(title, url);
      const option = document.createElement("option");
      option.value = title;
      option.label = about;
      return option;
    }));
  };

  const ask = async () => {
    const query = field.value.trim();
    latest = query;
    if (query.length < 2) return show([]);
    try {
      const response = await fetch(`${form.dataset.suggestions}?q=${encodeURIComponent(query)}`);
      const { suggestions } = response.ok ? await response.json() : { suggestions: [] };
      if (latest === query) show(suggestions);
    } catch {
      show([]);
    }
  };

  field.addEventListener("input", () => {
    clearTimeout(timer);
    const address = addresses.get(field.value);
    if (address) location.assign(address);
    else timer = setTimeout(ask, PAUSE);
  });
})();
