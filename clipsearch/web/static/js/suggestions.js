// Earlier queries below the empty search box; arrow keys and Enter choose one.

import { find, icon, make, store, stored } from "./dom.js";
import { parseTerms } from "./terms.js";

const KEPT = 30;
const SHOWN = 8;

export class Suggestions {
  /** `choose(terms)` starts the query that was chosen. */
  constructor(form, choose) {
    this.input = find(".search-input", form);
    this.list = find("#suggestions");
    this.choose = choose;
    this.selected = -1;
    this.input.addEventListener("focus", () => this.#isEmpty() && this.open());
    this.input.addEventListener("input", () => (this.#isEmpty() ? this.open() : this.close()));
    this.input.addEventListener("blur", () => this.close());
    this.input.addEventListener("keydown", (event) => this.#onKey(event));
    // Before the blur of a click would close the list.
    this.list.addEventListener("mousedown", (event) => {
      event.preventDefault();
      const option = event.target.closest("[role=option]");
      if (option) this.#take([...this.list.children].indexOf(option));
    });
  }

  /** Remember a query; those with uploaded images are not, since these expire. */
  remember(text) {
    if (!text || /(?:^|[\s:])image:q_/u.test(text)) return;
    const others = stored("history", []).filter((other) => other !== text);
    store("history", [text, ...others].slice(0, KEPT));
  }

  get isOpen() {
    return !this.list.hidden;
  }

  open() {
    const typed = this.input.value.trim().toLowerCase();
    const entries = stored("history", []).filter((text) => text.toLowerCase().includes(typed));
    this.entries = entries.slice(0, SHOWN);
    this.list.replaceChildren(
      ...this.entries.map((text, index) =>
        make(
          "li",
          { role: "option", id: `suggestion-${index}`, "aria-selected": "false" },
          icon("history"),
          text.replaceAll(/\bid:([0-9a-f]{6,32})/gu, "an image"),
        ),
      ),
    );
    this.list.hidden = this.entries.length === 0;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.#select(-1);
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.#select(-1);
  }

  #isEmpty() {
    return !this.input.value && !find(".chip");
  }

  #select(index) {
    this.selected = index;
    [...this.list.children].forEach((option, number) =>
      option.setAttribute("aria-selected", String(number === index)),
    );
    if (index < 0) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", `suggestion-${index}`);
  }

  #take(index) {
    const text = this.entries[index];
    this.close();
    this.choose(parseTerms(text));
  }

  #onKey(event) {
    if (event.key === "ArrowDown" && !this.isOpen) {
      this.open();
      if (!this.isOpen) return;
    }
    if (!this.isOpen) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      const count = this.entries.length;
      this.#select((this.selected + step + count) % count);
    } else if (event.key === "Enter" && this.selected >= 0) {
      event.preventDefault();
      this.#take(this.selected);
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.close();
    }
  }
}
