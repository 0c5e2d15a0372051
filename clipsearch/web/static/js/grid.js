// The grid of results. Only tiles near the window exist, so that ten thousand images scroll as
// well as ten.

import { find } from "./dom.js";
import { Layout, ratioOf } from "./layout.js";
import { markFocusable, tileFor } from "./tile.js";

/** `actions` has open(index), toggle(index, isRange), isSelected(id), nearEnd() and link(hit). */
export class Grid {
  constructor(element, actions) {
    this.element = element;
    this.actions = actions;
    this.hits = [];
    this.layout = new Layout();
    this.tiles = new Map();
    this.current = 0;
    this.line = null;
    this.frame = 0;
    addEventListener("scroll", () => this.#later(), { passive: true });
    addEventListener("resize", () => this.#later());
    new ResizeObserver(() => this.relayout()).observe(element);
    element.addEventListener("focusin", (event) => this.#focused(event.target.closest(".tile")));
  }

  /** Show these hits in place of all others. */
  set(hits) {
    const hadFocus = this.element.contains(document.activeElement);
    for (const tile of this.tiles.values()) tile.remove();
    this.tiles.clear();
    this.hits = [];
    this.layout.clear();
    this.current = 0;
    this.divide(null);
    this.append(hits);
    if (hadFocus) this.focus(0); // else Tab would begin at the top of the page again
  }

  append(hits) {
    this.hits.push(...hits);
    this.#arrange();
    this.#draw();
  }

  /** Put a line with a text below what is there; later hits come after it. */
  divide(line) {
    this.line?.remove();
    this.line = line;
    this.layout.split = line ? this.hits.length : null;
    if (line) this.element.append(line);
  }

  /** The index of the first hit below the line, or null. */
  get split() {
    return this.layout.split;
  }

  setRowHeight(height) {
    this.layout.rowHeight = height;
    this.relayout(true);
  }

  /** Lay out everything if the width changed; the image at the top of the window stays there. */
  relayout(isForced = false) {
    const width = this.element.clientWidth;
    if (!width || (width === this.layout.width && !isForced)) return;
    const { layout } = this;
    const edge = find(".header").offsetHeight - this.#top();
    const anchor = edge > 0 ? layout.indexAt(edge) : -1;
    const before = layout.boxes[anchor]?.top;
    layout.clear();
    this.#arrange();
    if (before !== undefined) scrollBy(0, layout.boxes[anchor].top - before);
    this.#draw();
  }

  /** Show which tiles are selected. */
  refresh() {
    for (const [index, tile] of this.tiles) {
      const isSelected = this.actions.isSelected(this.hits[index].id);
      tile.classList.toggle("selected", isSelected);
      find(".check-button", tile).setAttribute("aria-pressed", String(isSelected));
    }
  }

  /** Let the links of the tiles lead back to the present address. */
  refreshLinks() {
    for (const [index, tile] of this.tiles) {
      find(".tile-link", tile).href = this.actions.link(this.hits[index]);
    }
  }

  /** Move the focus to the image of this index, and scroll to it. */
  focus(index) {
    if (!this.hits.length) return;
    this.current = Math.max(0, Math.min(index, this.hits.length - 1));
    this.reveal(this.current);
    this.#draw(this.current);
    find(".tile-link", this.tiles.get(this.current))?.focus({ preventScroll: true });
  }

  /** Scroll as little as needed to show an image. */
  reveal(index) {
    const box = this.layout.boxes[index];
    if (!box) return;
    const header = find(".header").offsetHeight + 8;
    const top = box.top + this.#top() + scrollY;
    if (top - header < scrollY) scrollTo(0, top - header);
    else if (top + box.height + 12 > scrollY + innerHeight) {
      scrollTo(0, top + box.height + 12 - innerHeight);
    }
  }

  /** The index that an arrow key leads to from the current image. */
  neighbor(key) {
    return this.layout.neighbor(this.current, key);
  }

  /** Arrow keys go on from the tile that got the focus, also by Tab or by a click. */
  #focused(tile) {
    if (!tile) return;
    const previous = this.tiles.get(this.current);
    if (previous) markFocusable(previous, false);
    this.current = Number(tile.getAttribute("aria-posinset")) - 1;
    markFocusable(tile, true);
  }

  #top() {
    return this.element.getBoundingClientRect().top;
  }

  #arrange() {
    const { layout } = this;
    layout.width = this.element.clientWidth;
    layout.extend(this.hits);
    if (this.line) this.line.style.transform = `translateY(${layout.dividerTop}px)`;
    this.element.style.height = `${layout.height}px`;
  }

  #later() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.#draw();
    });
  }

  /** Draw the tiles near the window, and the one of `extra`. */
  #draw(extra = -1) {
    const { boxes } = this.layout;
    const above = -this.#top();
    const visible = new Set();
    for (
      let index = this.layout.indexAt(above - innerHeight);
      index < boxes.length && boxes[index].top < above + innerHeight * 2;
      index += 1
    ) {
      visible.add(index);
    }
    if (extra >= 0) visible.add(extra);
    // The focused image stays, wherever the window is: the focus must not be lost.
    if (this.element.contains(document.activeElement)) visible.add(this.current);
    for (const [index, tile] of this.tiles) {
      if (visible.has(index) && boxes[index]) continue;
      tile.remove();
      this.tiles.delete(index);
    }
    this.#place(
      [...visible].filter((index) => boxes[index]).sort((one, other) => one - other),
      boxes,
    );
    this.element.classList.add("ready");
    if (above + innerHeight * 2.5 > this.element.clientHeight) this.actions.nearEnd();
  }

  /** Make and place the tiles of some indices, in their order. */
  #place(indices, boxes) {
    let next = null;
    for (const index of indices.reverse()) {
      const box = boxes[index];
      let tile = this.tiles.get(index);
      if (!tile) {
        tile = tileFor(this.hits[index], index, box, this.actions);
        this.tiles.set(index, tile);
        this.element.insertBefore(tile, next);
      }
      tile.style.transform = `translate(${box.left}px, ${box.top}px)`;
      tile.style.width = `${box.width}px`;
      tile.style.height = `${box.height}px`;
      const isFilled = Math.abs(box.width / box.height / ratioOf(this.hits[index]) - 1) < 0.05;
      tile.classList.toggle("unfilled", !isFilled);
      tile.setAttribute("aria-setsize", String(this.hits.length));
      markFocusable(tile, index === this.current);
      next = tile;
    }
  }
}
