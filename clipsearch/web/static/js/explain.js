// Why an image matches a text: a heat map over the image, and the weight of each word.

import * as api from "./api.js";
import { button, find, make } from "./dom.js";

/** Draw a form and the explanation into `box`; `showHeat(source)` shows the map, "" removes it. */
export function explainInto(box, hit, text, showHeat) {
  const input = make("input", {
    class: "explain-text",
    type: "text",
    value: text,
    placeholder: "A text to explain by",
    "aria-label": "Text to explain the image by",
    maxLength: 500,
  });
  const output = make("div", { role: "status" });
  const form = make("form", { class: "explain-form" }, input, button("Explain", null, null));
  find("button", form).type = "submit";
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  const close = button("Hide", null, () => {
    showHeat("");
    box.hidden = true;
  });
  box.replaceChildren(make("h3", {}, "Why this image?"), form, output, close);
  box.hidden = false;
  if (text) run();
  else input.focus();

  async function run() {
    if (!input.value.trim()) return;
    output.replaceChildren(make("p", {}, "Comparing parts of the image\u2026"));
    try {
      const result = await api.explain(input.value, hit.id);
      if (!box.isConnected || box.hidden) return; // another image is shown by now
      showHeat(result.overlay);
      output.replaceChildren(
        ...result.warnings.map((text) => make("p", { class: "notice" }, text)),
        make("p", {}, "The image matches the text most where it is warm."),
        words(result.words),
      );
    } catch (error) {
      output.replaceChildren(make("p", {}, error.message));
    }
  }
}

function words(items) {
  const largest = Math.max(...items.map((item) => Math.abs(item.contribution)), 1e-9);
  return make(
    "ul",
    { class: "word-bars", "aria-label": "Weight of each word" },
    ...items.map(({ word, contribution }) =>
      make(
        "li",
        { class: contribution < 0 ? "against" : "" },
        make("span", {}, word),
        make("meter", {
          min: 0,
          max: 1,
          value: Math.abs(contribution) / largest,
          "aria-label": contribution < 0 ? `${word}, against it` : word,
        }),
        make("span", {}, signed(contribution)),
      ),
    ),
  );
}

const signed = (value) => `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(3)}`;
