// The dialog that puts a card into the text: a note, a warning, a quote, the sign-up, another story, an embed.
// Each is plain text (see docs/editors.md); what is selected becomes the words of a note or a quote.
"use strict";

(() => {
  const source = document.getElementById("cards-source");
  const area = document.querySelector('.story-editor [name="body_markdown"]');
  if (!source || !area) return;
  document.body.append(source.content.cloneNode(true));
  const dialog = document.getElementById("card-dialog");
  const form = dialog.querySelector("form");
  const search = dialog.querySelector('[type="search"]');
  const list = dialog.querySelector(".card-stories");
  const status = dialog.querySelector(".picture-none");
  const problem = dialog.querySelector(".picture-problem");
  const [address, title] = [form.elements.address, form.elements.title];

  function insert(text) {
    dialog.close();
    area.editor.insert(text);
    area.editor.focus();
  }

  for (const button of dialog.querySelectorAll("[data-card]")) button.addEventListener("click", () => {
    const { before, text } = button.dataset;
    if (!text) { insert(before); return; }
    const selected = area.editor.selection.trim();
    if (selected) area.editor.replaceSelection("");
    insert(`${before}\n${selected || text}\n:::`);
  });

  async function find() {
    const words = search.value;
    let stories;
    try {
      const response = await fetch(`${dialog.dataset.stories}?${new URLSearchParams({ q: words })}`);
      ({ stories } = await response.json());
    } catch {
      status.textContent = dialog.dataset.lost;
      return;
    }
    if (words !== search.value) return;
    status.textContent = stories.length ? "" : dialog.dataset.none;
    list.replaceChildren(...stories.map((story) => {
      const button = document.createElement("button");
      button.type = "button";
      const about = document.createElement("small");
      about.textContent = story.about;
      button.append(story.headline, about);
      button.addEventListener("click", () => insert(`::: story ${story.slug}`));
      const item = document.createElement("li");
      item.append(button);
      return item;
    }));
  }

  let pause = 0;
  search.addEventListener("input", () => { clearTimeout(pause); pause = setTimeout(find, 200); });
  search.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const url = address.value.trim();
    if (!/^https:\/\/[^\s]+$/.test(url)) {
      problem.textContent = dialog.dataset.address;
      address.focus();
      return;
    }
    insert(`::: embed ${url} ${title.value.trim()}`.trim());
  });
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());

  function open() {
    problem.textContent = search.value = address.value = title.value = "";
    dialog.showModal();
    find();
  }

  function attach() {
    area.editor.addTool("card", "add_box", dialog.dataset.open, open);
  }
  if (area.editor) attach();
  else area.addEventListener("editor:ready", attach, { once: true });
})();
