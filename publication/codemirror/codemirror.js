// The parts of CodeMirror that publication/static/publication/markdown-editor.js uses, as the global `CodeMirror`.
import { StyleModule } from "style-mod";

// Its styles as adopted stylesheets: the Content-Security-Policy allows no <style> without a nonce.
const mount = StyleModule.mount;
const adopting = {
  ownerDocument: document,
  get adoptedStyleSheets() { return [...document.adoptedStyleSheets]; },
  set adoptedStyleSheets(sheets) { document.adoptedStyleSheets = sheets; },
};
StyleModule.mount = (_root, modules) => mount(adopting, modules);

export { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
export { deleteMarkupBackward, insertNewlineContinueMarkup, markdownLanguage, pasteURLAsLink } from "@codemirror/lang-markdown";
export { HighlightStyle, LanguageSupport, syntaxHighlighting, syntaxTree } from "@codemirror/language";
export { highlightSelectionMatches, openSearchPanel, search, searchKeymap } from "@codemirror/search";
export { Compartment, EditorSelection, EditorState, Prec, StateEffect, StateField, Transaction } from "@codemirror/state";
export {
  Decoration, drawSelection, dropCursor, EditorView, keymap, placeholder, ViewPlugin, WidgetType,
} from "@codemirror/view";
export { tags } from "@lezer/highlight";
