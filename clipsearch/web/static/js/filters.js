// The controls beside the search box: sliders, order and filters, and what they add to the URL.

import * as api from "./api.js";
import { button, find, findAll, icon, make } from "./dom.js";
import { formatCount, pathText, visible } from "./format.js";

const DEFAULTS = { textness: "0", order: "relevance", group_duplicates: "" };
const NAMES = {
  under: "Folder", glob: "Name", taken_from: "From", taken_before: "Before", format: "Type",
  tag: "Tag", says: "Says", camera: "Camera", near: "Near", min_width: "Min. width",
  min_height: "Min. height", min_bytes: "Min. size", max_bytes: "Max. size", max_textness: "Max. text",
};

/** What the page calls a filter of the API, some of which have a list of values. */
export const labelOf = (name) => NAMES[name] ?? NAMES[name.replace(/s$/u, "")] ?? name;

export class Filters {
  /** `cuts` are the page's own, which its URL leaves out. */
  constructor(form, cuts, onChange) {
    this.form = form;
    this.defaults = { ...DEFAULTS, ...cuts };
    this.panel = find("#filters");
    this.toggle = find("#filter-button");
    this.applied = find("#applied");
    this.choices = new Map();
    this.onChange = onChange;
    for (const box of findAll(".choices", this.panel)) this.#takeOver(box);
    this.#drawChoices();
    find("summary", this.panel).tabIndex = -1; // the button in the header opens it
    const changed = (event) => {
      if (event.target.form !== form || !event.target.name) return;
      this.showValues();
      onChange(event.target.name, event.target.type !== "range");
    };
    document.addEventListener("input", changed);
    this.toggle.addEventListener("click", () => this.show(!this.panel.open));
    find("#clear-filters").addEventListener("click", () => this.clear());
    this.showValues();
  }

  /** Open or close the panel; at its first opening it learns what the collection has. */
  show(isOpen) {
    this.panel.open = isOpen;
    this.toggle.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) {
      this.#learn();
      find("input, select", this.panel)?.focus();
    }
  }

  /** The parameters of all controls, without those at their default. */
  params() {
    const params = new URLSearchParams();
    for (const [name, value] of new FormData(this.form)) {
      if (typeof value === "string" && value !== "" && value !== this.defaults[name]) {
        params.append(name, value);
      }
    }
    for (const [name, values] of this.choices) {
      for (const value of values) params.append(name, value);
    }
    return params;
  }

  /** Set all controls to the values of a URL. */
  fill(params) {
    for (const control of this.form.elements) {
      if (!control.name) continue;
      const value = params.get(control.name) ?? this.defaults[control.name] ?? "";
      if (control.type === "radio" || control.type === "checkbox") {
        control.checked = control.value === value;
      } else {
        if (control.options && ![...control.options].some((option) => option.value === value)) {
          control.append(make("option", { value }, `${value} bytes`));
        }
        control.value = value;
      }
    }
    for (const [name, values] of this.choices) {
      values.clear();
      for (const value of params.getAll(name)) values.add(value);
    }
    this.#drawChoices();
    this.showValues();
  }

  /** Remove all filters; sliders and order stay. */
  clear() {
    const params = this.params();
    for (const name of Object.keys(NAMES)) params.delete(name);
    this.fill(params);
    this.onChange("filters", true);
  }

  /** Show the value of each slider, and a button for each filter that removes it. */
  showValues() {
    for (const output of findAll("output[for]")) {
      const control = document.getElementById(output.htmlFor.value);
      output.textContent = valueText(control);
      control.setAttribute("aria-valuetext", output.textContent);
    }
    const params = this.params();
    const buttons = [];
    for (const [name, value] of params) {
      if (!(name in NAMES)) continue;
      const remove = button(`${NAMES[name]}: ${visible(value)}`, null, () => {
        const kept = params.getAll(name).filter((other) => other !== value);
        params.delete(name);
        for (const other of kept) params.append(name, other);
        this.fill(params);
        this.onChange(name, true);
      });
      remove.setAttribute("aria-label", `Remove the filter ${NAMES[name]}: ${visible(value)}`);
      remove.append(icon("close"));
      buttons.push(remove);
    }
    this.applied.replaceChildren(...buttons);
  }

  #takeOver(box) {
    const input = find("input", box);
    const values = input.value ? [input.value] : [];
    const given = box.dataset.values ? JSON.parse(box.dataset.values) : values;
    this.choices.set(input.name, new Set(given));
    input.remove();
    box.dataset.name = input.name;
  }

  #drawChoices() {
    for (const box of findAll(".choices", this.panel)) {
      const chosen = this.choices.get(box.dataset.name);
      const known = this.known?.[box.dataset.name] ?? [];
      const values = new Map(known.map(({ value, images }) => [value, images]));
      for (const value of chosen) if (!values.has(value)) values.set(value, null);
      box.closest(".field").hidden = this.known !== undefined && values.size === 0;
      box.replaceChildren(
        ...[...values].map(([value, count]) => this.#choice(chosen, box.dataset.name, value, count)),
      );
    }
  }

  #choice(chosen, name, value, count) {
    const control = make("input", { type: "checkbox", checked: chosen.has(value) });
    control.addEventListener("change", () => {
      if (control.checked) chosen.add(value);
      else chosen.delete(value);
      this.showValues();
      this.onChange(name, true);
    });
    const number = count === null ? null : make("small", {}, formatCount(count));
    return make("label", { class: "check" }, control, visible(value), number);
  }

  async #learn() {
    if (this.known !== undefined) return;
    try {
      const facets = await api.facets();
      this.known = { format: facets.formats, tag: facets.tags };
      this.#suggest("folders", facets.folders);
      this.#suggest("cameras", facets.cameras);
      this.#drawChoices();
    } catch {
      // The fields work without suggestions.
    }
  }

  #suggest(id, values) {
    const options = values.map(({ value, path = value, images }) =>
      make("option", { value: pathText(path), label: `${visible(path)} (${formatCount(images)})` }),
    );
    document.getElementById(id).replaceChildren(...options);
  }
}

function valueText(control) {
  const value = Number(control.value);
  if (control.name === "textness") {
    if (!value) return "any";
    return `${value > 0 ? "+" : "\u2212"}${Math.abs(value)}`;
  }
  if (control.name === "min_p") return value ? `p ${value}` : "all";
  if (control.name === "min_z") return value ? `z ${value}` : "all";
  return control.value;
}
