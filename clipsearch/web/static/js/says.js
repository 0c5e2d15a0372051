// Words that images show: where they are in the image, and their lines as text.

import { button, copyText, find, make } from "./dom.js";
import { plural } from "./format.js";

const MATCHES = {
  prefix: "start of a word",
  infix: "part of a word",
  split: "other spaces",
  similar: "similar letters",
};

/** A note that images show the words of a query, with a button that searches for them. */
export function saidNotice({ words, images }, onSays) {
  const label = `${plural(images, "image")} with the words \u201c${words}\u201d`;
  const phrase = /\s/u.test(words) ? `"${words}"` : words; // several in a row are a phrase
  return make("p", { class: "notice" }, button(label, null, () => onSays(phrase)));
}

/** Draw the boxes of the words over an image with this size in an element, or remove them. */
export function drawBoxes(container, hit, width, height) {
  find(".says-boxes", container)?.remove();
  if (!hit?.says?.length) return;
  const name = "http://www.w3.org/2000/svg";
  const boxes = document.createElementNS(name, "svg");
  boxes.setAttribute("class", "says-boxes");
  boxes.setAttribute("viewBox", "0 0 1 1");
  boxes.setAttribute("preserveAspectRatio", "none");
  boxes.setAttribute("aria-hidden", "true"); // the panel has the words as text
  for (const { box } of hit.says) {
    const polygon = document.createElementNS(name, "polygon");
    polygon.setAttribute("points", box.join(" "));
    boxes.append(polygon);
  }
  Object.assign(boxes.style, { width: `${width}px`, height: `${height}px` });
  container.append(boxes);
}

/** The lines with the words, and a button that copies them; nothing without any. */
export function linesOf(hit) {
  if (!hit.says?.length) return [];
  const lines = hit.says.map(({ text, match }) =>
    make("li", {}, make("span", {}, text), match in MATCHES ? make("small", {}, MATCHES[match]) : null),
  );
  const text = hit.says.map((line) => line.text).join("\n");
  return [
    make(
      "section",
      { class: "says", "aria-label": "Text in the image" },
      make("h3", {}, "Text in the image"),
      make("ul", {}, ...lines),
      button("Copy text", "copy", () => copyText(text, "Copied the text", "text.txt")),
    ),
  ];
}
