// A Markdown editor in place of each textarea with `data-markdown`. The textarea stays the form's field: it always has
// the text, and fires `input` when that changes. Without this script it is an ordinary textarea.
//
// textarea.editor, and .editor of the element around it with the class `story-editor`:
//   value                   the whole text; may be set
//   selection               the selected text
//   insert(text)            a block of its own at the cursor, with empty lines around it
//   replaceSelection(text)  words in place of the selection
//   wrap(before, after)     marks around the selection; a second time they are taken away
//   replace(from, to, text) characters of the text
//   addTool(name, icon, words, run)  a button of another script in the toolbar, before the quotation
//   focus(), element, view  the caret; the box around toolbar and text; the EditorView itself
// The event `editor:ready` bubbles from the textarea when these are there.
"use strict";

(() => {
  const {
    EditorSelection, EditorState, EditorView, HighlightStyle, LanguageSupport, Prec, deleteMarkupBackward,
    defaultKeymap, drawSelection, dropCursor, highlightSelectionMatches, history, historyKeymap,
    insertNewlineContinueMarkup, keymap, markdownLanguage, openSearchPanel, pasteURLAsLink, search, searchKeymap,
    syntaxHighlighting, tags,
  } = CodeMirror;
  const isApple = /Mac|iPhone|iPad/.test(navigator.platform);
  const EMPTY_LINES = /^\n*/;

  const colours = HighlightStyle.define([
    { tag: tags.heading1, class: "md-heading md-heading-1" },
    { tag: tags.heading2, class: "md-heading md-heading-2" },
    { tag: tags.heading, class: "md-heading" },
    { tag: tags.strong, class: "md-strong" },
    { tag: tags.emphasis, class: "md-emphasis" },
    { tag: tags.strikethrough, class: "md-struck" },
    { tag: tags.quote, class: "md-quote" },
    { tag: tags.link, class: "md-link" },
    { tag: tags.url, class: "md-mark" },
    { tag: tags.monospace, class: "md-code" },
    { tag: [tags.processingInstruction, tags.labelName, tags.contentSeparator, tags.meta], class: "md-mark" },
  ]);

  const wrap = (before, after = before) => (view) => {
    const { doc } = view.state;
    view.dispatch(view.state.changeByRange((range) => {
      const { from, to } = range;
      const isWrapped = doc.sliceString(from - before.length, from) === before && doc.sliceString(to, to + after.length) === after;
      const changes = isWrapped
        ? [{ from: from - before.length, to: from }, { from: to, to: to + after.length }]
        : [{ from, insert: before }, { from: to, insert: after }];
      const shift = isWrapped ? -before.length : before.length;
      return { changes, range: EditorSelection.range(range.anchor + shift, range.head + shift) };
    }), { userEvent: "input", scrollIntoView: true });
    return true;
  };

  // Every selected line begins with the mark, or none of them any more. `pattern` is what it takes the place of.
  const prefix = (mark, pattern) => (view) => {
    const { state } = view;
    const changes = [];
    const lines = new Set();
    for (const { from, to } of state.selection.ranges) {
      for (let at = state.doc.lineAt(from); ; at = state.doc.lineAt(at.to + 1)) {
        lines.add(at.number);
        if (at.to >= to) break;
      }
    }
    const numbers = [...lines];
    const text = (place) => (mark === "1. " ? `${place + 1}. ` : mark);
    const isMarked = numbers.every((number, place) => state.doc.line(number).text.startsWith(text(place)));
    numbers.forEach((number, place) => {
      const line = state.doc.line(number);
      const old = pattern.exec(line.text)?.[0] ?? "";
      changes.push({ from: line.from, to: line.from + old.length, insert: isMarked ? "" : text(place) });
    });
    const edit = state.changes(changes);
    view.dispatch({ changes: edit, selection: state.selection.map(edit, 1), userEvent: "input", scrollIntoView: true });
    return true;
  };

  const link = (view) => {
    const { from, to } = view.state.selection.main;
    const words = view.state.sliceDoc(from, to);
    const isAddress = /^https?:\/\/\S+$/.test(words);
    const insert = isAddress ? `[](${words})` : `[${words}](https://)`;
    // The caret is where something is still to be typed.
    const anchor = isAddress || !words ? from + 1 : from + words.length + 3;
    const head = isAddress || !words ? anchor : anchor + "https://".length;
    view.dispatch({ changes: { from, to, insert }, selection: { anchor, head }, userEvent: "input", scrollIntoView: true });
    return true;
  };

  const insertBlock = (view, text) => {
    const { doc, selection } = view.state;
    const { to } = selection.main;
    const line = doc.lineAt(to);
    const at = line.text.trim() ? line.to : line.from;
    const before = doc.sliceString(0, at).trimEnd() ? "\n\n".slice(/\n{0,2}$/.exec(doc.sliceString(0, at))[0].length) : "";
    const rest = doc.sliceString(at);
    const after = "\n\n".slice(Math.min(2, EMPTY_LINES.exec(rest)[0].length));
    const anchor = at + before.length + text.length;
    view.dispatch({ changes: { from: at, insert: before + text + after }, selection: { anchor }, userEvent: "input", scrollIntoView: true });
  };

  const HEADING = /^#{1,6} /;
  const LIST = /^\s*(?:[-*+]|\d+[.)]) (?:\[[ x]\] )?/;
  // Name, icon of the admin's font, key, what it does.
  const TOOLS = [
    ["bold", "format_bold", "Mod-b", wrap("**")],
    ["italic", "format_italic", "Mod-i", wrap("*")],
    ["link", "link", "Mod-k", link],
    ["heading", "format_h2", "Mod-Alt-2", prefix("## ", HEADING)],
    ["subheading", "format_h3", "Mod-Alt-3", prefix("### ", HEADING)],
    ["quote", "format_quote", "Mod-Shift-9", prefix("> ", /^> ?/)],
    ["list", "format_list_bulleted", "Mod-Shift-8", prefix("- ", LIST)],
    ["numbered", "format_list_numbered", "Mod-Shift-7", prefix("1. ", LIST)],
    ["struck", "format_strikethrough", "Mod-Shift-x", wrap("~~")],
    ["rule", "horizontal_rule", "", (view) => { insertBlock(view, "---"); return true; }],
    ["search", "search", "Mod-f", openSearchPanel],
  ];

  const shown = (key) => key.split("-").map((part) => ({ Mod: isApple ? "⌘" : "Ctrl", Alt: isApple ? "⌥" : "Alt", Shift: isApple ? "⇧" : "Shift" }[part] ?? part.toUpperCase())).join(isApple ? "" : "+");
  const spoken = (key) => key.split("-").map((part) => ({ Mod: isApple ? "Meta" : "Control" }[part] ?? part)).join("+");

  const element = (name, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(name), properties);
    node.append(...children);
    return node;
  };

  const button = (words, icon, properties) => {
    const node = element("button", { type: "button", title: words, ...properties });
    node.append(element("span", { className: "material-symbols-outlined", textContent: icon, ariaHidden: "true" }));
    node.setAttribute("aria-label", words);
    return node;
  };

  function help(labels) {
    const dialog = element("dialog", { className: "md-help" });
    const list = element("dl");
    for (const [name, , key] of TOOLS) {
      if (key) list.append(element("dt", {}, element("kbd", { textContent: shown(key) })), element("dd", { textContent: labels[name] }));
    }
    for (const [key, words] of [["Mod-z", labels.undo], ["Mod-Shift-z", labels.redo], ["Mod-s", labels.save], ["Mod-/", labels.help]]) {
      if (words) list.append(element("dt", {}, element("kbd", { textContent: shown(key) })), element("dd", { textContent: words }));
    }
    const close = element("button", { type: "button", className: "desk-button", textContent: labels.close });
    close.addEventListener("click", () => dialog.close());
    const heading = element("h2", { textContent: labels.help, id: `md-help-${Math.random().toString(36).slice(2)}` });
    dialog.setAttribute("aria-labelledby", heading.id);
    dialog.append(heading, element("p", { textContent: labels.helptext }), list, close);
    return dialog;
  }

  // One stop for the tabulator; the arrows move inside (the pattern "toolbar" of WAI-ARIA).
  function toolbar(view, labels, dialog) {
    const bar = element("div", { className: "md-toolbar", role: "toolbar" });
    bar.setAttribute("aria-label", labels.toolbar);
    for (const [name, icon, key, run] of TOOLS) {
      const node = button(key ? `${labels[name]} (${shown(key)})` : labels[name], icon, { className: "md-tool" });
      if (key) node.setAttribute("aria-keyshortcuts", spoken(key));
      node.dataset.tool = name;
      // The selection in the text must survive the press.
      node.addEventListener("mousedown", (event) => event.preventDefault());
      node.addEventListener("click", () => { run(view); if (name !== "search") view.focus(); });
      bar.append(node);
    }
    const question = button(labels.help, "keyboard", { className: "md-tool md-tool-help" });
    question.addEventListener("click", () => dialog.showModal());
    bar.append(question);
    const stops = () => [...bar.querySelectorAll("button")];
    const focusOn = (node) => { for (const each of stops()) each.tabIndex = each === node ? 0 : -1; };
    focusOn(stops()[0]);
    bar.addEventListener("focusin", (event) => { if (event.target.closest("button")) focusOn(event.target.closest("button")); });
    bar.addEventListener("keydown", (event) => {
      const all = stops();
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const next = event.key === "Home" ? all[0] : event.key === "End" ? all.at(-1)
        : step && all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
      if (!next) return;
      event.preventDefault();
      next.focus();
    });
    return bar;
  }

  function api(view, box) {
    return {
      view,
      element: box,
      get value() { return view.state.doc.toString(); },
      set value(text) { view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } }); },
      get selection() { const { from, to } = view.state.selection.main; return view.state.sliceDoc(from, to); },
      insert: (text) => insertBlock(view, text),
      replace: (from, to, insert) => view.dispatch({ changes: { from, to, insert }, userEvent: "input" }),
      replaceSelection: (text) => view.dispatch(view.state.replaceSelection(text), { userEvent: "input", scrollIntoView: true }),
      wrap: (before, after) => wrap(before, after)(view),
      addTool: (name, icon, words, run) => {
        const node = button(words, icon, { className: "md-tool", tabIndex: -1 });
        node.dataset.tool = name;
        node.addEventListener("click", run);
        box.querySelector('.md-toolbar [data-tool="quote"]').before(node);
      },
      focus: () => view.focus(),
    };
  }

  function start(area) {
    const labels = JSON.parse(area.dataset.markdown);
    const label = document.querySelector(`label[for="${area.id}"]`);
    const dialog = help(labels);
    const keys = [
      ...TOOLS.filter(([name, , key]) => key && name !== "search").map(([, , key, run]) => ({ key, run })),
      { key: "Mod-/", run: () => { dialog.showModal(); return true; } },
      { key: "Enter", run: insertNewlineContinueMarkup },
      { key: "Backspace", run: deleteMarkupBackward },
    ];
    let isOurs = false;
    const synchronise = EditorView.updateListener.of((update) => {
      if (!update.docChanged) return;
      isOurs = true;
      area.value = update.state.doc.toString();
      area.dispatchEvent(new Event("input", { bubbles: true }));
      isOurs = false;
    });
    const view = new EditorView({
      doc: area.value,
      extensions: [
        Prec.high(keymap.of(keys)), history(), drawSelection(), dropCursor(), EditorView.lineWrapping,
        new LanguageSupport(markdownLanguage), pasteURLAsLink, syntaxHighlighting(colours), highlightSelectionMatches(),
        search({ top: true }), keymap.of([...searchKeymap, ...historyKeymap, ...defaultKeymap]), synchronise,
        EditorState.phrases.of(labels.phrases),
        EditorView.contentAttributes.of({
          "aria-label": label ? label.textContent.replace(/[\s:*]+$/, "").trim() : labels.text, "aria-multiline": "true",
          spellcheck: "true", autocorrect: "on", autocapitalize: "sentences",
          ...(area.getAttribute("aria-describedby") && { "aria-describedby": area.getAttribute("aria-describedby") }),
        }),
      ],
    });
    const box = element("div", { className: "md-editor" });
    box.append(toolbar(view, labels, dialog), view.dom, dialog);
    area.after(box);
    area.hidden = true;
    // Another script, or the browser's way back, may fill the textarea.
    area.addEventListener("input", () => { if (!isOurs && area.value !== view.state.doc.toString()) editor.value = area.value; });
    label?.addEventListener("click", () => view.focus());
    const editor = api(view, box);
    area.editor = editor;
    const around = area.closest(".story-editor");
    if (around && !around.editor) around.editor = editor;
    area.dispatchEvent(new CustomEvent("editor:ready", { bubbles: true, detail: editor }));
  }

  for (const area of document.querySelectorAll("textarea[data-markdown]")) start(area);
})();
