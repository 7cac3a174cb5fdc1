// Something of another site: a button that says what is loaded from whom, and a frame once it is pressed.
for (const embed of document.querySelectorAll(".embed[data-frame]")) {
  const { frame, title, load, notice } = embed.dataset;
  const offer = document.createElement("div");
  offer.className = "embed__offer";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button";
  button.textContent = load;
  const words = document.createElement("p");
  words.className = "embed__notice";
  words.textContent = notice;
  words.id = `embed-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  button.setAttribute("aria-describedby", words.id);
  offer.append(button, words);
  embed.prepend(offer);
  embed.classList.add("is-offered");

  button.addEventListener("click", () => {
    const player = document.createElement("iframe");
    player.title = title;
    player.allow = "fullscreen; encrypted-media; picture-in-picture";
    player.referrerPolicy = "strict-origin-when-cross-origin";
    player.setAttribute("sandbox", "allow-scripts allow-same-origin allow-popups allow-presentation");
    player.src = frame;
    offer.replaceWith(player);
    embed.classList.remove("is-offered");
    player.focus();
  });
}
