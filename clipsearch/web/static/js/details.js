// What is known about an image, and what can be done with it: the panel of the lightbox.

import * as api from "./api.js";
import { button, copyText, icon, make } from "./dom.js";
import { folderOf, formatBytes, formatTime, nameOf, pathText, visible } from "./format.js";
import { linesOf } from "./says.js";

/** Draw the panel of a hit; `actions` has similar, more, less, explain (a term text or ""). */
export function drawDetails(panel, hit, actions) {
  panel.replaceChildren(
    make("h2", {}, nameOf(hit.path)),
    make("p", { class: "folder" }, visible(folderOf(hit.path))),
    ...scores(hit),
    ...linesOf(hit),
    actionButtons(hit, actions),
    make("div", { class: "explanation", id: "explanation", hidden: true }),
    facts(hit),
  );
}

function scores(hit) {
  const values = [["p", hit.p, 2], ["z", hit.z, 1], ["Score", hit.score, 3], ["Textness", hit.textness, 2]];
  const known = values.filter(([, value]) => value !== null && value !== undefined);
  if (!known.length) return [];
  const items = known.map(([name, value, digits]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, value.toFixed(digits))),
  );
  return [make("dl", { class: "scores" }, ...items)];
}

function actionButtons(hit, actions) {
  const link = (label, iconName, href, props = {}) =>
    make("a", { class: "button", href, ...props }, icon(iconName), label);
  return make(
    "div",
    { class: "actions" },
    button("Similar", "similar", () => actions.similar(hit), { title: "Similar images (s)" }),
    button("Explain", "explain", () => actions.explain(hit), { title: "Why this image" }),
    button("More of this", "plus", () => actions.weigh(hit, 1), { title: "Add to the query (+)" }),
    button("Less of this", "minus", () => actions.weigh(hit, -1), { title: "Subtract (\u2212)" }),
    button("Copy path", "copy", () => copyText(hit.path, "Copied the path", "path.txt")),
    link("Folder", "folder", `/?${new URLSearchParams({ under: pathText(folderOf(hit.path)) })}`, {
      title: "All images of this folder",
    }),
    link("Download", "download", api.fileUrl(hit.id), { download: "" }),
    link("Own page", "image", `/image/${hit.id}`),
  );
}

/** The metadata as a list of terms; unknown values are left out. */
export function facts(hit) {
  const megapixels = (hit.width * hit.height) / 1e6;
  const size = megapixels >= 0.95 ? ` \u00b7 ${megapixels.toFixed(1)} MP` : "";
  const rows = [
    ["Taken", hit.taken_at && `${formatTime(hit.taken_at)}${sourceOf(hit)}`],
    ["Camera", hit.camera && filterLink("camera", hit.camera)],
    ["Size", `${hit.width} \u00d7 ${hit.height}${size}`],
    ["File", `${(hit.format ?? "").toUpperCase()} \u00b7 ${formatBytes(hit.size ?? 0)}`],
    ["Tags", hit.tags?.length ? spaced(hit.tags.map((tag) => filterLink("tag", tag))) : null],
    ["Place", place(hit)],
    ["State", hit.missing ? "The file is gone" : null],
    ["Id", hit.id],
  ];
  const items = rows.flatMap(([name, value]) =>
    value ? [make("dt", {}, name), make("dd", {}, value)] : [],
  );
  return make("dl", { class: "facts" }, ...items);
}

const sourceOf = (hit) => (hit.taken_from === "name" ? " (from the name)" : "");

function filterLink(name, value) {
  return make("a", { href: `/?${new URLSearchParams({ [name]: value })}` }, visible(value));
}

function place(hit) {
  if (hit.latitude === null || hit.latitude === undefined) return null;
  const at = `${hit.latitude.toFixed(4)}, ${hit.longitude.toFixed(4)}`;
  const near = `${hit.latitude},${hit.longitude},2`;
  return make("a", { href: `/?${new URLSearchParams({ near })}`, title: "Within 2 km" }, at);
}

function spaced(elements) {
  const line = make("span");
  elements.forEach((element, index) => line.append(index ? ", " : "", element));
  return line;
}
