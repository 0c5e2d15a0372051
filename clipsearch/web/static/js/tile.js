// One image of the grid: a link to its page, a button that selects it, and a caption.

import { thumbnailUrl } from "./api.js";
import { find, icon, make } from "./dom.js";
import { formatDate, formatScore, nameOf } from "./format.js";

/** The element of a hit; `box` is its place, `actions` those of the grid. */
export function tileFor(hit, index, box, actions) {
  const name = nameOf(hit.path);
  const link = make("a", {
    class: "tile-link",
    href: actions.link(hit),
    "aria-label": describe(hit, name),
  });
  link.append(imageOf(hit, name, box));
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.button > 0) return;
    event.preventDefault();
    if (event.shiftKey) actions.toggle(index, true);
    else actions.open(index);
  });
  const check = make(
    "button",
    {
      type: "button",
      class: "check-button",
      tabIndex: -1,
      "aria-label": `Select ${name}`,
      "aria-pressed": String(actions.isSelected(hit.id)),
      onclick: (event) => actions.toggle(index, event.shiftKey),
    },
    icon("check"),
  );
  const tile = make("li", { class: "tile", data: { id: hit.id } }, link, check, caption(hit));
  tile.setAttribute("aria-posinset", String(index + 1));
  tile.classList.toggle("selected", actions.isSelected(hit.id));
  if (hit.duplicates?.length) {
    const label = `${hit.duplicates.length} more that look the same`;
    tile.append(
      make("span", { class: "badge", title: label }, icon("stack"), `+${hit.duplicates.length}`),
    );
  }
  return tile;
}

/** Only one tile is reached by Tab; arrow keys lead to the others. */
export function markFocusable(tile, isCurrent) {
  find(".tile-link", tile).tabIndex = isCurrent ? 0 : -1;
}

/** What a screen reader says of a hit. */
export function describe(hit, name = nameOf(hit.path)) {
  return [name, formatDate(hit.taken_at), formatScore(hit)].filter(Boolean).join(", ");
}

function imageOf(hit, name, box) {
  const pixels = Math.max(box.width, box.height) * Math.min(devicePixelRatio || 1, 2);
  const image = make("img", {
    alt: "",
    width: Math.max(1, Math.round(box.width)),
    height: Math.max(1, Math.round(box.height)),
    decoding: "async",
    draggable: true,
  });
  image.onload = () => image.classList.add("loaded");
  image.onerror = () => {
    const reason = hit.missing ? "The file is gone" : "The image cannot be shown";
    image.closest(".tile")?.classList.add("broken");
    image.after(make("span", { class: "broken-text" }, icon("broken"), name, ` \u2013 ${reason}`));
  };
  image.src = thumbnailUrl(hit.id, pixels);
  if (image.complete && image.naturalWidth) image.classList.add("loaded");
  return image;
}

function caption(hit) {
  return make(
    "span",
    { class: "caption", "aria-hidden": "true" },
    make("span", {}, formatDate(hit.taken_at)),
    make("span", {}, formatScore(hit)),
  );
}
