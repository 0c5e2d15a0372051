// The chips of the search box: each a text or an image with a weight and a sign.

import { queryImageUrl, thumbnailUrl } from "./api.js";
import { find, icon, make, toast } from "./dom.js";
import { sameContent, parseTerms } from "./terms.js";

const MAX_WEIGHT = 10;

/** Manages the chips and the text that is being typed; calls `onChange(isCommitted)`. */
export class Chips {
  constructor(form, onChange) {
    this.list = find(".chips", form);
    this.input = find(".search-input", form);
    this.onChange = onChange;
    this.terms = [];
    this.input.addEventListener("keydown", (event) => this.#onKey(event));
    this.input.addEventListener("input", () => onChange(false));
    find(".search-box", form).addEventListener("mousedown", (event) => {
      if (event.target === event.currentTarget || event.target === this.list) {
        event.preventDefault();
        this.input.focus();
      }
    });
  }

  /** All terms, with those that are being typed. */
  all() {
    return [...this.terms, ...parseTerms(this.input.value)];
  }

  /** Show these terms, without a search. */
  set(terms, typed = "") {
    this.terms = terms.map((term) => ({ ...term }));
    if (this.input.value !== typed) this.input.value = typed;
    this.#draw();
  }

  /** Add a term, or give the one with the same content its weight. */
  add(term) {
    this.#commitText();
    const known = this.terms.find((other) => sameContent(term, other));
    if (known) known.weight = term.weight;
    else this.terms.push({ ...term });
    this.#changed();
  }

  /** Make a chip of the typed text; returns whether there was any. */
  commit() {
    if (!this.#commitText()) return false;
    this.#changed();
    return true;
  }

  remove(term) {
    const index = this.terms.indexOf(term);
    if (index < 0) return;
    this.terms.splice(index, 1);
    this.#changed();
    this.input.focus();
  }

  #commitText() {
    const typed = parseTerms(this.input.value);
    this.input.value = "";
    this.terms.push(...typed);
    return typed.length > 0;
  }

  #changed() {
    this.#draw();
    this.onChange(true);
  }

  #onKey(event) {
    if (event.isComposing || event.defaultPrevented) return;
    const atStart = this.input.selectionStart === 0 && this.input.selectionEnd === 0;
    if (event.key === "Backspace" && atStart && this.terms.length) {
      event.preventDefault();
      this.remove(this.terms.at(-1));
    } else if (event.key === "ArrowLeft" && atStart && this.terms.length) {
      find(".chip:last-child .content", this.list)?.focus();
    } else if (event.key === "," && this.input.value.trim()) {
      event.preventDefault();
      this.commit();
    }
  }

  #edit(term) {
    this.#commitText();
    this.terms.splice(this.terms.indexOf(term), 1);
    const sign = term.weight < 0 ? "- " : "";
    const size = Math.abs(term.weight);
    this.input.value = `${sign}${size === 1 ? "" : `${size}:`}${term.content}`;
    this.#changed();
    this.input.focus();
    this.input.select();
  }

  #draw() {
    this.list.replaceChildren(...this.terms.map((term) => this.#chip(term)));
    this.input.placeholder = this.terms.length ? "Add a term" : this.input.dataset.placeholder;
  }

  #chip(term) {
    const name = term.kind === "text" ? term.content : "image";
    const isNegative = term.weight < 0;
    const sign = make(
      "button",
      {
        type: "button",
        class: "sign",
        title: isNegative ? "Less of this" : "More of this",
        "aria-label": `${name}: ${isNegative ? "subtracted, add it" : "added, subtract it"}`,
        onclick: () => {
          term.weight = -term.weight;
          this.#changed();
          find(".sign", this.list.children[this.terms.indexOf(term)])?.focus();
        },
      },
      isNegative ? "\u2212" : "+",
    );
    const remove = make(
      "button",
      { type: "button", class: "remove", "aria-label": `Remove ${name}`, title: "Remove" },
      icon("close"),
    );
    remove.onclick = () => this.remove(term);
    const chip = make(
      "div",
      { class: isNegative ? "chip negative" : "chip", role: "listitem" },
      sign,
      this.#content(term, name),
      this.#weight(term, name),
      remove,
    );
    chip.addEventListener("keydown", (event) => {
      if (event.target.tagName === "INPUT") return;
      if (event.key === "Delete" || event.key === "Backspace") {
        event.preventDefault();
        this.remove(term);
      }
    });
    return chip;
  }

  #content(term, name) {
    if (term.kind === "text") {
      return make(
        "button",
        {
          type: "button",
          class: "content",
          title: `${name} (click to edit)`,
          "aria-label": `Edit ${name}`,
          onclick: () => this.#edit(term),
        },
        make("span", {}, name),
      );
    }
    const source =
      term.kind === "id" ? thumbnailUrl(term.content, 128) : queryImageUrl(term.content);
    const image = make("img", { src: source, alt: "" });
    image.onerror = () => {
      image.closest(".chip")?.classList.add("broken");
      image.replaceWith(icon("broken"));
      if (term.kind === "image") toast("This query image has expired. Add it again.");
    };
    if (term.kind === "image") return make("span", { class: "content" }, image);
    const link = make("a", { class: "content", href: `/image/${term.content}` }, image);
    link.setAttribute("aria-label", "Query image");
    return link;
  }

  #weight(term, name) {
    const input = make("input", {
      type: "number",
      min: "0.1",
      max: String(MAX_WEIGHT),
      step: "any",
      value: String(Math.abs(term.weight)),
      inputMode: "decimal",
      "aria-label": `Weight of ${name}`,
    });
    input.addEventListener("input", () => {
      const size = input.valueAsNumber;
      if (!(size > 0)) return;
      term.weight = Math.sign(term.weight) * Math.min(size, MAX_WEIGHT);
      this.onChange(true);
    });
    // A weight that cannot be used must not look as if it were.
    input.addEventListener("blur", () => (input.value = String(Math.abs(term.weight))));
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
      if (event.key === "ArrowUp" || event.key === "ArrowDown") {
        event.preventDefault();
        const step = event.key === "ArrowUp" ? 0.5 : -0.5;
        const size = Math.max(0.5, Math.min(MAX_WEIGHT, (input.valueAsNumber || 1) + step));
        input.value = String(size);
        input.dispatchEvent(new Event("input"));
      }
    });
    return make("label", { class: "weight", title: "Weight" }, "\u00d7", input);
  }
}
