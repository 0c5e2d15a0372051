// The selected images, and what can be done with them. They stay selected through other searches.

import { button, copyText, find, make, saveText, toast } from "./dom.js";
import { formatBytes, plural } from "./format.js";

export class Selection {
  /** `grid` is set later; `bar` is the element that shows the count and the actions. */
  constructor(bar) {
    this.bar = bar;
    this.hits = new Map();
    this.anchor = null;
    this.grid = null;
    this.count = make("p", { role: "status" });
    bar.append(
      this.count,
      button("Download", "download", () => this.download(), { title: "Download as a ZIP file" }),
      button("Copy paths", "copy", () => this.copyPaths()),
      button("JSON", null, () => this.saveJson(), { title: "Save the metadata as JSON" }),
      button("Clear", null, () => this.clear(), { class: "button quiet" }),
    );
  }

  has(id) {
    return this.hits.has(id);
  }

  get size() {
    return this.hits.size;
  }

  /** Select an image or not; with `isRange`, all from the last one to it. */
  toggle(index, isRange = false) {
    const { hits } = this.grid;
    if (isRange && this.anchor !== null && this.anchor < hits.length) {
      const [from, to] = [Math.min(this.anchor, index), Math.max(this.anchor, index)];
      for (const hit of hits.slice(from, to + 1)) this.hits.set(hit.id, hit);
    } else if (this.hits.has(hits[index].id)) {
      this.hits.delete(hits[index].id);
    } else {
      this.hits.set(hits[index].id, hits[index]);
    }
    this.anchor = index;
    this.#changed();
  }

  /** Select all images that are loaded. */
  selectAll() {
    for (const hit of this.grid.hits) this.hits.set(hit.id, hit);
    this.#changed();
  }

  clear() {
    this.hits.clear();
    this.anchor = null;
    this.#changed();
  }

  /** Indices mean other images after a new search. */
  forgetAnchor() {
    this.anchor = null;
  }

  /** Download a ZIP file: a form, so that the browser saves it while it arrives. */
  download() {
    const fields = [...this.hits.keys()].map((id) =>
      make("input", { type: "hidden", name: "ids", value: id }),
    );
    const form = make("form", { method: "post", action: "/v1/archive", hidden: true }, ...fields);
    document.body.append(form);
    form.submit();
    form.remove();
    toast(`Downloading ${plural(this.size, "image")}`);
  }

  copyPaths() {
    const paths = [...this.hits.values()].map((hit) => hit.path);
    copyText(paths.join("\n"), `Copied ${plural(paths.length, "path")}`, "paths.txt");
  }

  saveJson() {
    const text = JSON.stringify([...this.hits.values()], null, 2);
    saveText(text, "images.json", "application/json");
  }

  #changed() {
    this.bar.hidden = this.size === 0;
    let bytes = 0;
    for (const hit of this.hits.values()) bytes += hit.size ?? 0;
    this.count.textContent = `${plural(this.size, "image")} \u00b7 ${formatBytes(bytes)}`;
    find("#main").classList.toggle("selecting", this.size > 0);
    this.grid.refresh();
  }
}
