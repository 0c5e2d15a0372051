// Where each tile of the grid is: whole images in rows that fill the width.

const DIVIDER_HEIGHT = 64;
const LEAST_HEIGHT = 60;
const justify = window.require("justified-layout");

/** The boxes of tiles; `split` is the index below which a divider lies, or null. */
export class Layout {
  constructor() {
    this.boxes = [];
    this.width = 0;
    this.rowHeight = 220;
    this.split = null;
  }

  /** Lay out the hits that have no box yet; the last row, which may not be full, again. */
  extend(hits) {
    this.boxes.length = this.#lastRowStart();
    const split = this.split ?? hits.length;
    this.#add(hits, 0, Math.min(split, hits.length), 0);
    if (this.split !== null) this.#add(hits, split, hits.length, this.dividerTop + DIVIDER_HEIGHT);
  }

  clear() {
    this.boxes = [];
  }

  get dividerTop() {
    return this.#bottom(this.split);
  }

  get height() {
    const floor = this.split === null ? 0 : this.dividerTop + DIVIDER_HEIGHT;
    return Math.max(floor, this.#bottom(this.boxes.length));
  }

  /** The first image whose lower edge is below `y`. */
  indexAt(y) {
    let [low, high] = [0, this.boxes.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.boxes[middle].top + this.boxes[middle].height < y) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The index that an arrow key leads to. */
  neighbor(current, key) {
    const { boxes } = this;
    if (key === "ArrowLeft") return current - 1;
    if (key === "ArrowRight") return current + 1;
    const here = boxes[current];
    if (!here) return current;
    const step = key === "ArrowUp" ? -1 : 1;
    let index = current + step;
    while (boxes[index] && boxes[index].top === here.top) index += step;
    if (!boxes[index]) return current;
    const center = (box) => box.left + box.width / 2;
    const distance = (box) => Math.abs(center(box) - center(here));
    let best = index;
    for (const { top } = boxes[index]; boxes[index]?.top === top; index += step) {
      if (distance(boxes[index]) < distance(boxes[best])) best = index;
    }
    return best;
  }

  /** Add the boxes from the present end to `end`, of a part that begins at `start` and `base`. */
  #add(hits, start, end, base) {
    const from = Math.max(start, this.boxes.length);
    if (from >= end || !this.width) return;
    const spacing = this.width < 720 ? 3 : 5;
    const top = from === start ? base : this.#bottom(from) + spacing;
    const added = hits.slice(from, end);
    // A wider tile would stretch the row above it, which justified-layout cannot fill.
    const widest = this.width / this.rowHeight;
    const layout = justify(added.map((hit) => Math.max(0.25, Math.min(widest, ratioOf(hit)))), {
      containerWidth: this.width,
      containerPadding: 0,
      boxSpacing: spacing,
      targetRowHeight: this.rowHeight,
      targetRowHeightTolerance: 0.22,
    });
    let rise = 0;
    layout.boxes.forEach((box, index, boxes) => {
      const isAlone = boxes[index - 1]?.top !== box.top && boxes[index + 1]?.top !== box.top;
      const height = isAlone ? heightOf(box, ratioOf(added[index])) : box.height;
      this.boxes.push({ ...box, top: top + box.top - rise, height });
      rise += box.height - height;
    });
  }

  #lastRowStart() {
    const start = Math.min(this.split ?? 0, this.boxes.length);
    let index = this.boxes.length;
    while (index > start && this.boxes[index - 1].top === this.boxes.at(-1).top) index -= 1;
    return index;
  }

  /** The lower edge of the rows before an index. */
  #bottom(index) {
    const box = this.boxes[index - 1];
    return box ? box.top + box.height : 0;
  }
}

export const ratioOf = (hit) => (hit.width > 0 && hit.height > 0 ? hit.width / hit.height : 1);

/** The height of a tile that has a row of its own: that of a panorama in it, if it can be seen. */
const heightOf = (box, ratio) =>
  Math.min(box.height, Math.max(LEAST_HEIGHT, box.width / ratio));
