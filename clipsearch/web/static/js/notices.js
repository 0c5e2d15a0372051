// What the user should know about a query, above its results.

import { find, make } from "./dom.js";

const PAUSE = 700; // milliseconds

export class Notices {
  constructor() {
    this.element = find("#notices");
    this.pause = 0;
  }

  /** Show some elements; after a pause if a word may be being typed, half of which is unknown. */
  show(elements) {
    clearTimeout(this.pause);
    const show = () => this.element.replaceChildren(...elements);
    if (elements.length && document.activeElement?.matches("input")) this.pause = setTimeout(show, PAUSE);
    else show();
  }

  /** Show an error at once, with a button or without. */
  showError(message, action) {
    clearTimeout(this.pause);
    const error = make("p", { class: "notice error", role: "alert" }, `${message} `);
    if (action) error.append(action);
    this.element.replaceChildren(error);
  }
}
