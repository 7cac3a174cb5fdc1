// Nothing typed is ever lost. What the form shows is kept in the browser within half a second, and on the server every
// few seconds (`copies_view`); neither is the story, which only the button saves. What was not saved is offered when
// the story is opened again. A session that ended asks for the password beside the text, and a lost connection is
// tried again: both also when the button is pressed, which sends nothing before the server has answered.
"use strict";

(() => {
  const box = document.getElementById("story-keeping");
  if (!box) return;
  const form = document.getElementById("story-editor").closest("form");
  const status = document.getElementById("story-saved");
  const token = form.elements.copy.value;
  const words = JSON.parse(document.getElementById("story-words").textContent);
  const { url, user, zone, scope } = box.dataset;
  const LOCAL_MS = 400;
  const SERVER_MS = 2000;
  const AT_MOST_MS = 5000;
  const RETRY_MS = [2000, 4000, 8000, 15000];
  // These are of the page, not of the writer. `base` is kept: what it began with decides what is in conflict.
  // The browser would fill the form again after "Back": with what is saved already, and around the editor.
  form.autocomplete = "off";
  const NOT_TYPED = /^(csrfmiddlewaretoken|copy|met|choose_.*|_.*|bylines-\d+-(id|article))$/;
  const prefix = `story:${user}:${scope}:`;
  // The desk's English has the day before the month.
  const language = (document.documentElement.lang || "en").replace(/^en$/, "en-GB");
  const time = new Intl.DateTimeFormat(language, { timeStyle: "short", hourCycle: "h23", timeZone: zone });
  const moment = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23", timeZone: zone });

  function collect() {
    const fields = {};
    const labels = {};
    for (const [name, value] of new FormData(form)) {
      if (typeof value !== "string" || NOT_TYPED.test(name) || name.includes("__prefix__")) continue;
      (fields[name] ??= []).push(value.replaceAll("\r\n", "\n"));
    }
    for (const option of form.querySelectorAll("select option:checked")) {
      if (option.value) labels[`${option.parentElement.name}=${option.value}`] = option.textContent.trim();
    }
    return { fields, labels };
  }

  // Empty and absent are the same, and so is space at the ends, which the server takes away.
  const plain = ({ fields }) => JSON.stringify(
    Object.entries(fields).filter(([name]) => name !== "base" && !/_FORMS$/.test(name) && !NOT_TYPED.test(name))
      .map(([name, values]) => [name, values.map((value) => value.trim()).filter(Boolean)])
      .filter(([, values]) => values.length).sort(([a], [b]) => (a < b ? -1 : 1)),
  );

  const begun = collect();
  let sent = plain(begun);
  let latest = begun;
  let localTimer = 0;
  let serverTimer = 0;
  let waitsSince = 0;
  let tries = 0;
  let isSending = null;

  function keepHere() {
    latest = collect();
    if (plain(latest) === plain(begun) && sent === plain(begun)) return;
    try {
      localStorage.setItem(prefix + token, JSON.stringify({ at: new Date().toISOString(), ...latest }));
    } catch {
      // The browser has no room or no leave; the server has the words within seconds.
    }
  }

  async function request(method, { isBackground = false, content = null, of = token } = {}) {
    const headers = { "X-Requested-With": "fetch", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value };
    if (isBackground) headers["X-Background"] = "1";
    const response = await fetch(`${url}?token=${of}`, { method, headers, body: content && JSON.stringify(content) });
    const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
    if (response.status === 401 || response.redirected || (response.ok && !isJson)) return { state: "ended" };
    if (response.status === 403) return { state: await renew() ? "again" : "refused", error: words.refused };
    if (response.status === 422) return { state: "refused", error: (await response.json()).error };
    return response.ok ? { state: "done", ...(await response.json()) } : { state: "away" };
  }

  function put(csrf) {
    for (const field of document.querySelectorAll('[name="csrfmiddlewaretoken"]')) field.value = csrf;
  }

  // Somebody signed in on another tab: the page's token is outdated, and that is all.
  async function renew() {
    if (!box.dataset.again) return false;
    const response = await fetch(box.dataset.again, { headers: { "X-Requested-With": "fetch" } });
    if (!response.ok) return false;
    const { csrf } = await response.json();
    if (!csrf || csrf === form.elements.csrfmiddlewaretoken.value) return false;
    put(csrf);
    return true;
  }

  // One at a time. Resolves to whether the server has what the form shows now.
  function send(options = {}) {
    isSending = (isSending ?? Promise.resolve()).then(() => sendNow(options));
    return isSending;
  }

  async function sendNow({ isBackground = false, isForced = false } = {}) {
    clearTimeout(serverTimer);
    waitsSince = 0;
    latest = collect();
    const content = plain(latest);
    if (content === sent && !isForced) return "done";
    let result;
    try {
      result = await request("POST", { isBackground, content: latest });
      if (result.state === "again") result = await request("POST", { isBackground, content: latest });
    } catch {
      result = { state: "away" };
    }
    if (result.state === "done") {
      sent = content;
      tries = 0;
      say(words.kept.replace("{time}", time.format(new Date())), "kept");
      hideSignIn();
    } else if (result.state === "ended") {
      say(words.ended, "ended");
      showSignIn();
    } else if (result.state === "refused") {
      say(result.error, "refused");
    } else {
      say(words.away, "away");
      serverTimer = setTimeout(() => send({ isBackground: true }), RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
    }
    return result.state;
  }

  function say(text, state) {
    if (status.textContent !== text) status.textContent = text;
    status.dataset.state = state;
  }

  function typed() {
    clearTimeout(localTimer);
    localTimer = setTimeout(keepHere, LOCAL_MS);
    if (status.dataset.state === "away" || status.dataset.state === "ended") return;
    waitsSince ||= Date.now();
    clearTimeout(serverTimer);
    serverTimer = setTimeout(send, Math.max(0, Math.min(SERVER_MS, waitsSince + AT_MOST_MS - Date.now())));
  }

  form.addEventListener("input", typed);
  form.addEventListener("change", typed);
  // The admin's own pickers tell jQuery only.
  window.django?.jQuery(form).on("change", typed);
  window.addEventListener("online", () => send({ isBackground: true }));
  window.addEventListener("pagehide", keepHere);
  document.addEventListener("visibilitychange", () => { if (document.hidden) { keepHere(); send(); } });

  // The button.
  let isAnswered = false;
  form.addEventListener("submit", async (event) => {
    if (isAnswered) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const { submitter } = event;
    keepHere();
    say(words.saving, "saving");
    const state = await send({ isForced: true });
    if (state === "ended") {
      showSignIn(() => form.requestSubmit(submitter));
      box.querySelector('[name="again_password"]').focus();
    }
    if (state === "away") say(words.notsaved, "away");
    if (state !== "done" && state !== "refused") return;
    // What is refused as a copy may still be saved, or be told why not.
    isAnswered = true;
    form.requestSubmit(submitter);
  }, { capture: true });

  // The password beside the text.
  const signIn = box.querySelector(".story-again");
  let afterwards = null;

  function showSignIn(next = null) {
    afterwards = next ?? afterwards;
    signIn.hidden = false;
  }

  function hideSignIn() {
    signIn.hidden = true;
  }

  const message = signIn.querySelector("[role=alert]");
  const field = (name) => box.querySelector(`[name="again_${name}"]`);

  function byPassword() {
    signInAgain({ login: field("login").value, password: field("password").value, code: field("code").value });
  }

  // The browser asks for the finger or the key itself; the reply is a proof alone, as at the sign-in.
  async function byPasskey() {
    message.textContent = "";
    let credential;
    try {
      const response = await fetch(box.dataset.passkey, { headers: { Accept: "application/json" } });
      credential = await webauthnJSON.get((await response.json()).request_options);
    } catch {
      message.textContent = words.nopasskey;
      return;
    }
    await signInAgain({ credential: JSON.stringify(credential) });
  }

  async function signInAgain(proof) {
    const body = new URLSearchParams(proof);
    message.textContent = "";
    try {
      const response = await fetch(box.dataset.again, {
        method: "POST", body,
        headers: { "X-Requested-With": "fetch", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value },
      });
      const reply = await response.json();
      if (!response.ok) {
        message.textContent = reply.error ?? words.away;
        if (reply.code) { field("code").closest("label").hidden = false; field("code").focus(); }
        return;
      }
      put(reply.csrf);
      field("password").value = field("code").value = "";
      hideSignIn();
      say("", "");
      await send({ isForced: true });
      const next = afterwards;
      afterwards = null;
      next?.();
    } catch {
      message.textContent = words.away;
    }
  }

  signIn.querySelector("[data-way=password]").addEventListener("click", byPassword);
  const passkey = signIn.querySelector("[data-way=passkey]");
  passkey.addEventListener("click", byPasskey);
  passkey.hidden = !window.PublicKeyCredential;
  signIn.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.matches("button")) return;
    event.preventDefault();
    byPassword();
  });
  if (!box.dataset.again) for (const each of signIn.querySelectorAll("label, button")) each.hidden = true;
  // Its fields are none of the form's.
  signIn.addEventListener("input", (event) => event.stopPropagation());
  signIn.addEventListener("change", (event) => event.stopPropagation());

  // What was not saved, offered.
  const nameOf = (name) => {
    const label = document.querySelector(`label[for="id_${name}"], label[for="id_${name}_0"]`);
    return label?.textContent.replace("*", "").replace(/:\s*$/, "").trim() ?? "";
  };

  function differences(copy) {
    const now = collect();
    const names = new Set();
    for (const name of new Set([...Object.keys(copy.fields), ...Object.keys(now.fields)])) {
      if (name === "base" || /_FORMS$/.test(name) || NOT_TYPED.test(name)) continue;
      const values = (content) => (content.fields[name] ?? []).map((value) => value.trim()).filter(Boolean).join("\n");
      if (values(copy) === values(now)) continue;
      if (name === "body_markdown") {
        const count = (text) => text.split(/\s+/).filter(Boolean).length;
        const more = count(values(copy)) - count(values(now));
        names.add(`${nameOf(name)} (${more < 0 ? "−" : "+"}${Math.abs(more)})`);
      } else {
        names.add(name.startsWith("bylines") ? words.authors : nameOf(name.replace(/_[01]$/, "")) || name);
      }
    }
    return [...names].filter(Boolean);
  }

  function takeUp(copy) {
    const total = Number(copy.fields["bylines-TOTAL_FORMS"]?.[0] ?? 0);
    const present = () => Number(form.elements["bylines-TOTAL_FORMS"]?.value ?? 0);
    const adder = document.querySelector("#bylines-group .add-row a, #bylines-group .add-row button");
    for (let more = total - present(); more > 0 && adder; more -= 1) adder.click();
    for (const field of form.elements) {
      if (!field.name || NOT_TYPED.test(field.name) || field.name.includes("__prefix__") || /_FORMS$/.test(field.name)) continue;
      const values = copy.fields[field.name] ?? [];
      if (field.type === "checkbox") {
        field.checked = values.length > 0;
      } else if (field instanceof HTMLSelectElement) {
        for (const value of values) {
          if (![...field.options].some((option) => option.value === value)) {
            field.add(new Option(copy.labels[`${field.name}=${value}`] ?? value, value));
          }
        }
        for (const option of field.options) option.selected = values.includes(option.value);
      } else if (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement) {
        field.value = values[0] ?? "";
      } else {
        continue;
      }
      field.dispatchEvent(new Event("input", { bubbles: true }));
      if (field instanceof HTMLSelectElement) window.django?.jQuery(field).trigger("change");
    }
  }

  function offer(copy) {
    const row = document.createElement("div");
    row.className = "story-offer";
    const text = document.createElement("p");
    const title = copy.fields.headline?.[0];
    const isNew = scope === "new" && title;
    const sentence = (isNew ? words.offernew.replace("{headline}", title) : words.offer).replace("{when}", moment.format(new Date(copy.at)));
    text.textContent = isNew ? sentence : `${sentence} ${words.differs.replace("{fields}", differences(copy).join(", "))}`;
    const button = (label, act, isMain) => {
      const node = document.createElement("button");
      Object.assign(node, { type: "button", textContent: label, className: `desk-button${isMain ? " is-main" : ""}` });
      node.addEventListener("click", () => { act(); row.remove(); document.getElementById("story-editor").editor?.focus(); });
      return node;
    };
    row.append(text, button(words.takeup, () => { takeUp(copy); keepHere(); send({ isForced: true }).then((state) => { if (state === "done") forget(copy.token); }); }, true), button(words.discard, () => forget(copy.token), false));
    box.querySelector(".story-offers").append(row);
  }

  function forget(of) {
    localStorage.removeItem(prefix + of);
    request("DELETE", { of }).catch(() => {});
  }

  async function offerAll() {
    const copies = new Map();
    for (const key of Object.keys(localStorage).filter((each) => each.startsWith(prefix))) {
      const copy = JSON.parse(localStorage.getItem(key));
      copies.set(key.slice(prefix.length), { token: key.slice(prefix.length), ...copy });
    }
    let saved = [];
    try {
      const result = await request("GET", { isBackground: true });
      saved = result.saved ?? [];
      for (const copy of result.copies ?? []) {
        if (!copies.has(copy.token) || copies.get(copy.token).at < copy.at) copies.set(copy.token, copy);
      }
    } catch {
      // Without a connection there is what the browser has.
    }
    for (const of of saved) { copies.delete(of); localStorage.removeItem(prefix + of); }
    const now = plain(begun);
    for (const copy of [...copies.values()].sort((a, b) => (a.at < b.at ? 1 : -1))) {
      if (copy.token === token) continue;
      if (plain(copy) === now) forget(copy.token);
      else offer(copy);
    }
  }

  offerAll();
})();
