// The results of the present query: asks for them page by page, and says what is shown.

import * as api from "./api.js";
import { button, find, icon, make } from "./dom.js";
import { labelOf } from "./filters.js";
import { formatCount, plural } from "./format.js";
import { Notices } from "./notices.js";
import { saidNotice } from "./says.js";

const PAGE = 60; // enough for a window; the first page has to be quick
const LATER = 480;
const MOST = 16_384; // offset + limit, on every Milvus

export class Results {
  /** `onSays` searches for words that images show. */
  constructor(grid, selection, onSays) {
    this.onSays = onSays;
    this.grid = grid;
    this.selection = selection;
    this.status = find("#status");
    this.end = find("#end");
    this.progress = find("#progress");
    this.notices = new Notices();
    this.aborter = null;
    this.clear();
  }

  clear() {
    this.params = new URLSearchParams();
    this.offset = 0;
    this.isDone = true;
    this.isBeyond = false;
    this.isLoading = false;
    this.hasFailed = false;
    this.cut = { passed: null, more_below: false };
    this.page = null;
  }

  /** Show the first page that came with the document, or one from the memory. */
  show(params, page) {
    this.#cancel();
    this.clear();
    this.params = params;
    this.#take(page, true);
  }

  /** Ask for the results of other parameters; what is shown stays until they arrive. */
  async load(params) {
    const page = await this.#fetch(params, 0, PAGE);
    if (!page) return false;
    this.clear();
    this.params = params;
    this.#take(page, true);
    return true;
  }

  /** Ask for the next page, if there is one. */
  async more() {
    if (this.isDone || this.isLoading || this.hasFailed) return;
    const page = await this.#fetch(this.#pageParams(), this.offset, LATER);
    if (page) this.#take(page, false);
  }

  /** Ask for more pages until so many images are there. */
  async until(count) {
    while (this.grid.hits.length < count && !this.isDone && !this.hasFailed) {
      await this.more();
    }
  }

  /** Go on below the cut. */
  async showBelow() {
    this.isBeyond = true;
    this.isDone = false;
    // Ordered by score, some hits above the cut of p stand behind others below it.
    this.offset = this.cut.by === "p" ? 0 : (this.cut.passed ?? this.offset);
    if (this.grid.hits.length) this.grid.divide(divider());
    this.end.replaceChildren();
    await this.more();
  }

  /** Everything that `restore` needs to show the same again at once. */
  snapshot() {
    const { params, offset, isDone, isBeyond, cut, page } = this;
    const hits = [...this.grid.hits];
    return { params, offset, isDone, isBeyond, cut, page, hits, split: this.grid.split };
  }

  restore(snapshot) {
    this.#cancel();
    this.clear();
    const { hits, split, ...values } = snapshot;
    Object.assign(this, values);
    this.grid.set(hits.slice(0, split ?? hits.length));
    if (split !== null) {
      this.grid.divide(divider());
      this.grid.append(hits.slice(split));
    }
    this.selection.forgetAnchor();
    this.#describe();
  }

  #pageParams() {
    if (!this.isBeyond) return this.params;
    const params = new URLSearchParams(this.params);
    for (const name of ["min_p", "min_z", "min_score", "order"]) params.delete(name);
    return params;
  }

  #cancel() {
    this.aborter?.abort();
    this.aborter = null;
  }

  async #fetch(params, offset, limit) {
    this.#cancel();
    const aborter = new AbortController();
    this.aborter = aborter;
    this.isLoading = true;
    this.hasFailed = false;
    const waiting = setTimeout(() => (this.progress.hidden = false), 150);
    const request = new URLSearchParams(params);
    request.set("limit", String(limit));
    if (offset) request.set("offset", String(offset));
    try {
      return await api.search(request, aborter.signal);
    } catch (error) {
      if (this.aborter === aborter && error.name !== "AbortError") {
        this.#showError(error, params, offset);
      }
      return null;
    } finally {
      clearTimeout(waiting);
      if (this.aborter === aborter) {
        this.progress.hidden = true;
        this.isLoading = false;
      }
    }
  }

  #take(page, isFirst) {
    const { cut } = page;
    this.page = page;
    this.isDone = !page.next;
    this.offset = nextOffset(page.next) ?? this.offset + page.hits.length;
    if (this.offset + LATER > MOST) this.isDone = true;
    if (cut && !this.isBeyond) this.cut = cut;
    if (isFirst) {
      this.grid.set(page.hits);
      this.selection.forgetAnchor();
    } else {
      const known = new Set(this.grid.hits.map((hit) => hit.id));
      this.grid.append(page.hits.filter((hit) => !known.has(hit.id)));
    }
    this.#describe();
  }

  #describe() {
    const { page, cut } = this;
    const isCutByP = cut.by === "p" && (this.params.has("min_p") || !this.params.has("min_z"));
    if (cut.by) document.body.classList.toggle("cut-by-p", isCutByP);
    const number = this.grid.hits.length;
    const isBrowsing = !this.params.get("q") && !this.params.get("says");
    const isGrouped = this.isDone && this.params.get("group_duplicates") === "true";
    const all = this.isBeyond || isGrouped ? null : cut.passed;
    const isKnown = all !== null || this.isDone;
    const total = isKnown ? plural(all ?? number, "image") : `${formatCount(number)}+ images`;
    const time = page.took_ms === undefined || isBrowsing ? "" : `${Math.round(page.took_ms)} ms`;
    this.status.replaceChildren(total, make("small", {}, time && ` \u00b7 ${time}`));
    this.notices.show([
      ...(page.warnings ?? []).map((text) => make("p", { class: "notice" }, text)),
      ...(page.said ?? []).map((said) => saidNotice(said, this.onSays)),
    ]);
    if (!this.isDone) this.end.replaceChildren();
    else if (cut.more_below && !this.isBeyond) this.#showCut(number);
    else if (!number) this.#showEmpty(isBrowsing);
    else this.end.replaceChildren(make("p", {}, number > 12 ? "That is all." : ""));
  }

  #showCut(number) {
    const label = number ? "Show less relevant images" : "Show the nearest images";
    const more = button(label, null, () => this.showBelow());
    const text = "less relevant below";
    this.end.replaceChildren(
      ...(number
        ? [make("p", { class: "cut-line" }, text), more]
        : [this.#message("search", "No good match", this.#reasons(), more)]),
    );
  }

  #showEmpty(isBrowsing) {
    const title = isBrowsing ? "No images here" : "No image matches";
    const advice = isBrowsing
      ? "No image passes the filters, or the collection is empty."
      : "Use other words, or fewer filters.";
    this.end.replaceChildren(this.#message("image", title, this.#reasons() || advice));
  }

  #reasons() {
    const text = (this.page?.reasons ?? [])
      .join("; ")
      .replace(/min_[pz]/gu, "a cut of")
      .replace(/\b[a-z]+(?= leaves)|\b[a-z]+_[a-z]+\b/gu, (name) => `\u201c${labelOf(name)}\u201d`);
    return text && text[0].toUpperCase() + text.slice(1);
  }

  #message(iconName, title, text, action = null) {
    return make(
      "div",
      { class: "message" },
      icon(iconName),
      make("h2", {}, title),
      make("p", {}, text),
      action,
    );
  }

  #showError(error, params, offset) {
    this.hasFailed = true;
    const again = button("Try again", null, () => {
      this.hasFailed = false;
      if (offset) this.more();
      else this.load(params);
    });
    if (offset) {
      this.end.replaceChildren(make("p", {}, error.message), again);
      return;
    }
    // What was found before must not stand under the message as if it were found now.
    this.clear();
    this.grid.set([]);
    this.status.replaceChildren();
    this.end.replaceChildren();
    this.notices.showError(error.message, !error.status || error.status >= 500 ? again : null);
  }
}

const divider = () => make("li", { class: "divider", role: "presentation" }, "less relevant below");

/** The offset in the link of the next page. */
function nextOffset(link) {
  const value = link && new URL(link, location.href).searchParams.get("offset");
  return value ? Number(value) : null;
}
