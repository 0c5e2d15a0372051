// The grid of results: whole images in rows of one height. Only tiles near the window exist, so
// that ten thousand images scroll as well as ten.

import { find } from "./dom.js";
import { markFocusable, tileFor } from "./tile.js";

const DIVIDER_HEIGHT = 64;
const justify = window.require("justified-layout");

/** `actions` has open(index), toggle(index, isRange), isSelected(id), nearEnd() and link(hit). */
export class Grid {
  constructor(element, actions) {
    this.element = element;
    this.actions = actions;
    this.hits = [];
    this.boxes = [];
    this.tiles = new Map();
    this.current = 0;
    this.rowHeight = 220;
    this.divider = null;
    this.frame = 0;
    this.width = 0;
    addEventListener("scroll", () => this.#later(), { passive: true });
    addEventListener("resize", () => this.#later());
    new ResizeObserver(() => this.relayout()).observe(element);
  }

  /** Show these hits in place of all others. */
  set(hits) {
    for (const tile of this.tiles.values()) tile.remove();
    this.tiles.clear();
    this.hits = [];
    this.boxes = [];
    this.current = 0;
    this.divide(null);
    this.append(hits);
  }

  /** Add hits; the last row, which may not be full, is laid out again with them. */
  append(hits) {
    this.hits.push(...hits);
    this.#layout(this.#lastRowStart());
    this.#draw();
  }

  /** Put a line with a text below what is there; later hits come after it. */
  divide(line) {
    this.divider?.line.remove();
    this.divider = line && { index: this.hits.length, line };
    if (line) this.element.append(line);
  }

  setRowHeight(height) {
    this.rowHeight = height;
    this.relayout(true);
  }

  /** Lay out everything if the width changed; the image at the top of the window stays there. */
  relayout(isForced = false) {
    const width = this.element.clientWidth;
    if (!width || (width === this.width && !isForced)) return;
    const anchor = this.#firstVisible();
    const shift = anchor >= 0 ? this.boxes[anchor].top + this.#top() : 0;
    this.boxes = [];
    this.#layout(0);
    if (anchor >= 0 && scrollY > this.#offset()) {
      scrollBy(0, this.boxes[anchor].top + this.#top() - shift);
    }
    this.#draw();
  }

  /** Draw the states of tiles again, such as their selection. */
  refresh() {
    for (const [index, tile] of this.tiles) {
      const isSelected = this.actions.isSelected(this.hits[index].id);
      tile.classList.toggle("selected", isSelected);
      find(".check-button", tile).setAttribute("aria-pressed", String(isSelected));
    }
  }

  /** Draw all tiles anew, with other links. */
  redraw() {
    for (const tile of this.tiles.values()) tile.remove();
    this.tiles.clear();
    this.#draw();
  }

  /** Move the focus to the image of this index, and scroll to it. */
  focus(index) {
    if (!this.hits.length) return;
    this.current = Math.max(0, Math.min(index, this.hits.length - 1));
    this.reveal(this.current);
    this.#draw();
    find(".tile-link", this.tiles.get(this.current))?.focus({ preventScroll: true });
  }

  /** Scroll as little as needed to show an image. */
  reveal(index) {
    const box = this.boxes[index];
    if (!box) return;
    const header = find(".header").offsetHeight + 8;
    const top = box.top + this.#offset();
    if (top - header < scrollY) scrollTo(0, top - header);
    else if (top + box.height + 12 > scrollY + innerHeight) {
      scrollTo(0, top + box.height + 12 - innerHeight);
    }
  }

  /** The index that an arrow key leads to from the current image. */
  neighbor(key) {
    const { boxes, current } = this;
    if (key === "ArrowLeft") return current - 1;
    if (key === "ArrowRight") return current + 1;
    const step = key === "ArrowUp" ? -1 : 1;
    const here = boxes[current];
    if (!here) return current;
    const center = here.left + here.width / 2;
    let index = current + step;
    while (boxes[index] && boxes[index].top === here.top) index += step;
    if (!boxes[index]) return current;
    const row = boxes[index].top;
    let best = index;
    for (; boxes[index] && boxes[index].top === row; index += step) {
      const distance = (box) => Math.abs(box.left + box.width / 2 - center);
      if (distance(boxes[index]) < distance(boxes[best])) best = index;
    }
    return best;
  }

  #offset() {
    return this.element.getBoundingClientRect().top + scrollY;
  }

  #top() {
    return this.element.getBoundingClientRect().top;
  }

  #lastRowStart() {
    const start = this.divider?.index ?? 0;
    let index = this.boxes.length;
    while (index > start && this.boxes[index - 1].top === this.boxes.at(-1).top) index -= 1;
    return index;
  }

  #layout(start) {
    this.width = this.element.clientWidth;
    const split = this.divider?.index ?? this.hits.length;
    if (start < split) this.#layoutRange(start, split);
    if (this.divider) {
      const bottom = this.#bottom(split);
      this.divider.line.style.transform = `translateY(${bottom}px)`;
      this.#layoutRange(Math.max(start, split), this.hits.length);
    }
    const floor = this.divider ? this.#bottom(split) + DIVIDER_HEIGHT : 0;
    this.element.style.height = `${Math.max(floor, this.#bottom(this.hits.length))}px`;
  }

  #layoutRange(start, end) {
    this.boxes.length = Math.min(this.boxes.length, start);
    if (start >= end || !this.width) return;
    const isBelow = this.divider && start >= this.divider.index;
    const base = isBelow ? this.#bottom(this.divider.index) + DIVIDER_HEIGHT : 0;
    const top = start === (isBelow ? this.divider.index : 0) ? base : this.#bottom(start);
    const spacing = this.width < 720 ? 3 : 5;
    const gap = start > (isBelow ? this.divider.index : 0) ? spacing : 0;
    const layout = justify(this.hits.slice(start, end).map(aspectRatio), {
      containerWidth: this.width,
      containerPadding: 0,
      boxSpacing: spacing,
      targetRowHeight: this.rowHeight,
      targetRowHeightTolerance: 0.22,
    });
    for (const box of layout.boxes) this.boxes.push({ ...box, top: box.top + top + gap });
  }

  /** The lower edge of the rows before an index. */
  #bottom(index) {
    const box = this.boxes[index - 1];
    return box ? box.top + box.height : 0;
  }

  #later() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.#draw();
    });
  }

  #draw() {
    const { boxes, hits } = this;
    const offset = this.#top();
    const from = -offset - innerHeight;
    const to = -offset + innerHeight * 2;
    let index = this.#search(from);
    const visible = new Set();
    for (; index < boxes.length && boxes[index].top < to; index += 1) visible.add(index);
    // The focused image stays, wherever the window is: the focus must not be lost.
    if (this.element.contains(document.activeElement)) visible.add(this.current);
    for (const [key, tile] of this.tiles) {
      if (visible.has(key) && boxes[key]) continue;
      tile.remove();
      this.tiles.delete(key);
    }
    for (const key of [...visible].sort((one, other) => one - other)) {
      if (!boxes[key]) continue;
      if (!this.tiles.has(key)) this.#insert(key, tileFor(hits[key], key, boxes[key], this.actions));
      this.#place(this.tiles.get(key), boxes[key], key);
    }
    this.element.classList.add("ready");
    if (-offset + innerHeight * 2.5 > this.element.clientHeight) this.actions.nearEnd();
  }

  #insert(key, tile) {
    const later = [...this.tiles.keys()].filter((other) => other > key);
    const next = later.length ? this.tiles.get(Math.min(...later)) : null;
    this.element.insertBefore(tile, next);
    this.tiles.set(key, tile);
  }

  #place(tile, box, index) {
    tile.style.transform = `translate(${box.left}px, ${box.top}px)`;
    tile.style.width = `${box.width}px`;
    tile.style.height = `${box.height}px`;
    tile.setAttribute("aria-setsize", String(this.hits.length));
    markFocusable(tile, index === this.current);
  }

  /** The first image whose lower edge is below `y`. */
  #search(y) {
    let [low, high] = [0, this.boxes.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.boxes[middle].top + this.boxes[middle].height < y) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #firstVisible() {
    const index = this.#search(Math.max(0, -this.#top() + find(".header").offsetHeight));
    return index < this.boxes.length ? index : -1;
  }
}

// A panorama of 20:1 would be a strip of a few pixels: its tile is less wide, with bars.
const aspectRatio = (hit) =>
  Math.max(0.25, Math.min(5, hit.width > 0 && hit.height > 0 ? hit.width / hit.height : 1));
