// The keyboard: one table, which the overlay of `?` lists too.

import { find, toast } from "./dom.js";

// A dialog that was just closed has the focus for one more frame.
const isTyping = (element) =>
  element.isContentEditable || element.closest("input, select, textarea, dialog[open]") !== null;

/** Handle keys of the whole page; `parts` has grid, lightbox, selection, chips, search, info. */
export function listenToKeys(parts) {
  const { grid, lightbox, selection } = parts;
  const index = () => (lightbox.isOpen ? lightbox.index : grid.current);
  const hit = () => grid.hits[index()];
  const withHit = (action) => () => hit() && action(hit());
  const actions = {
    "/": parts.focusSearch,
    x: withHit(() => {
      selection.toggle(index());
      // In the lightbox nothing else shows it.
      if (lightbox.isOpen) toast(selection.has(hit().id) ? "Selected" : "No longer selected");
    }),
    s: withHit(parts.similar),
    "-": withHit((item) => parts.weigh(item, -1)),
    "\u2212": withHit((item) => parts.weigh(item, -1)),
    "+": withHit((item) => parts.weigh(item, 1)),
    "=": withHit((item) => parts.weigh(item, 1)),
    i: () => (lightbox.isOpen ? lightbox.togglePanel() : parts.toggleCaptions()),
    "?": () => find("#keys").showModal(),
  };

  function moveInGrid(event) {
    const inGrid = document.activeElement.closest?.("#grid");
    if (!inGrid && document.activeElement !== document.body) return false;
    if (event.key === "Home") grid.focus(0);
    else if (event.key === "End") grid.focus(grid.hits.length - 1);
    else if (event.key.startsWith("Arrow")) {
      grid.focus(inGrid ? grid.neighbor(event.key) : grid.current);
    } else return false;
    return true;
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || find("#keys").open) return;
    const command = event.ctrlKey || event.metaKey;
    if (command && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      parts.focusSearch();
      return;
    }
    if (event.key === "Escape" && !lightbox.isOpen) {
      if (isTyping(event.target)) {
        if (grid.hits.length) grid.focus(grid.current);
        else event.target.blur();
      } else selection.clear();
      return;
    }
    if (isTyping(event.target) || event.altKey) return;
    if (command) {
      if (event.key.toLowerCase() === "a" && !lightbox.isOpen) {
        event.preventDefault();
        selection.selectAll();
      }
      return;
    }
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (action) {
      event.preventDefault();
      action();
    } else if (!lightbox.isOpen && moveInGrid(event)) {
      event.preventDefault();
    }
  });
}
