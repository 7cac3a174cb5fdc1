// Says below a sender's address what the DNS knows of its domain, before the form is saved.
{
  const PAUSE = 700;

  const follow = (field) => {
    const form = field.form;
    const words = document.createElement("div");
    words.className = "sender-words";
    words.setAttribute("role", "status");
    field.insertAdjacentElement("afterend", words);
    let asked = 0;
    let timer = 0;

    const show = (sentences, isFine) => {
      words.classList.toggle("is-fine", isFine);
      words.replaceChildren(
        ...sentences.filter(Boolean).map((sentence) => {
          const line = document.createElement("p");
          line.textContent = sentence;
          return line;
        }),
      );
    };

    const ask = async () => {
      const mine = ++asked;
      const typed = new URLSearchParams();
      for (const name of ["sender_address", "reply_to"]) typed.set(name, form.elements[name]?.value ?? "");
      try {
        const response = await fetch(`${field.dataset.senderCheck}?${typed}`, {
          headers: { "X-Requested-With": "fetch" },
        });
        // A later question is on its way, or the session ended: what is saved is looked at in any case.
        if (mine !== asked || !response.ok) return;
        const { flaws, fine } = await response.json();
        show(flaws ?? [fine], !flaws);
      } catch {
        show([], true);
      }
    };

    const soon = () => {
      clearTimeout(timer);
      timer = setTimeout(ask, PAUSE);
    };
    for (const name of ["sender_address", "reply_to"]) form.elements[name]?.addEventListener("input", soon);
    ask();
  };

  document.querySelectorAll("[data-sender-check]").forEach(follow);
}
