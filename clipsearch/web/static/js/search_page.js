// The search page: connects the search box, the controls, the grid and the history.

import { Chips } from "./chips.js";
import { find, debounce, store, stored } from "./dom.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { acceptImages } from "./image_input.js";
import { listenToKeys } from "./keys.js";
import { Lightbox } from "./lightbox.js";
import { Navigation } from "./navigation.js";
import { Results } from "./results.js";
import { Selection } from "./selection.js";
import { Suggestions } from "./suggestions.js";
import { formatTerms, parseTerms } from "./terms.js";

const form = find("#search");
const main = find("#main");
const given = JSON.parse(find("#page-data").textContent);

const selection = new Selection(find("#selection"));
const grid = new Grid(find("#grid"), {
  open: (index) => lightbox.open(index),
  toggle: (index, isRange) => selection.toggle(index, isRange),
  isSelected: (id) => selection.has(id),
  nearEnd: () => results.more(),
  link: (hit) => `/image/${hit.id}${location.search}`,
});
selection.grid = grid;
const results = new Results(grid, selection, (says) => {
  const params = filters.params();
  params.set("says", says);
  filters.fill(params);
  chips.set([]);
  changed(null, 0);
});
const filters = new Filters(form, given.cuts, (name, isFinal) => changed(name, isFinal ? 60 : 120));
const chips = new Chips(form, (isCommitted) => {
  if (isCommitted) changed(null, 0);
  else changed("typing", 90);
});
const suggestions = new Suggestions(form, (terms) => {
  chips.set(terms);
  changed(null, 0);
});
const lightbox = new Lightbox(grid, {
  similar,
  weigh,
  text: () => chips.all().find((term) => term.kind === "text" && term.weight > 0)?.content ?? "",
  nearEnd: () => results.more(),
});

/** The parameters of the page's URL. */
function pageParams() {
  const params = filters.params();
  const text = formatTerms(chips.all());
  return new URLSearchParams([...(text ? [["q", text]] : []), ...params]);
}

/** The parameters of the API: its defaults are not those of the page. */
function apiParams(params) {
  const copy = new URLSearchParams(params);
  const isCutByZ = params.has("min_z") && !params.has("min_p"); // as older addresses are
  for (const name of isCutByZ ? ["min_z"] : ["min_p", "min_z"]) {
    copy.set(name, params.get(name) ?? given.cuts[name]);
    if (!copy.has("q")) copy.delete(name);
  }
  if (copy.get("min_z") === "0") copy.delete("min_z");
  if (/(?:^|[\s:])(?:id|image):/u.test(copy.get("q") ?? "")) copy.set("exclude_images", "true");
  return copy;
}

const navigation = new Navigation({
  snapshot: () => results.snapshot(),
  count: () => grid.hits.length,
  async show(params, entry) {
    lightbox.close({ byHistory: true });
    fill(params);
    if (entry.snapshot?.page) results.restore(entry.snapshot);
    else if (await results.load(apiParams(params))) await results.until(entry.count);
    scrollTo(0, entry.scroll);
  },
  lightbox: (isOpen) => {
    const index = grid.hits.findIndex((hit) => hit.id === location.hash.slice(1));
    if (!isOpen) lightbox.close({ byHistory: true });
    else if (index >= 0) lightbox.open(index, { isNewEntry: false });
  },
});

const isBrowsing = (params) => !params.get("q") && !params.get("says");
const showMode = (params) => document.body.classList.toggle("browsing", isBrowsing(params));

function fill(params) {
  showMode(params);
  filters.fill(params);
  chips.set(parseTerms(params.get("q") ?? ""));
}

let pending = debounce(search, 0);

/** The query changed: search soon. `kind` joins changes of one kind into one step of history. */
function changed(kind, milliseconds) {
  pending.cancel();
  if (!milliseconds) {
    search(kind);
    return;
  }
  pending = debounce(search, milliseconds);
  pending(kind);
}

async function search(kind) {
  const params = pageParams();
  const isSame = navigation.isCurrent(params);
  if (isSame && kind !== null) return;
  navigation.go(params, kind);
  showMode(params);
  document.title = params.get("q") ? `${params.get("q")} \u2013 clipsearch` : "clipsearch";
  if (kind !== "typing") suggestions.remember(params.get("q"));
  if (await results.load(apiParams(params))) {
    if (scrollY > 0) scrollTo(0, 0);
    grid.refreshLinks();
  }
}

function similar(hit) {
  leaveLightbox(() => {
    chips.set([{ kind: "id", content: hit.id, weight: 1 }]);
    changed(null, 0);
  });
}

function weigh(hit, weight) {
  leaveLightbox(() => chips.add({ kind: "id", content: hit.id, weight }));
}

/** Closing the lightbox goes back in history; act after that has happened. */
function leaveLightbox(action) {
  if (!lightbox.isOpen) {
    action();
    return;
  }
  if (history.state?.lightbox) addEventListener("popstate", () => setTimeout(action), { once: true });
  else setTimeout(action);
  lightbox.close();
}

function focusSearch() {
  if (lightbox.isOpen) {
    leaveLightbox(focusSearch);
    return;
  }
  chips.input.focus();
  chips.input.select();
}

function toggleCaptions(isShown = main.classList.contains("no-captions")) {
  main.classList.toggle("no-captions", !isShown);
  store("captions", isShown);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!chips.commit()) changed(null, 0);
});

const size = find("#tile-size");
size.value = stored("tile-size", innerWidth < 720 ? 130 : 220);
size.addEventListener("input", () => {
  store("tile-size", Number(size.value));
  grid.setRowHeight(Number(size.value));
});

chips.input.removeAttribute("name");
chips.set(given.terms);
showMode(pageParams());
toggleCaptions(stored("captions", true));
grid.setRowHeight(Number(size.value));
acceptImages((term) => leaveLightbox(() => chips.add(term)));
listenToKeys({
  grid, lightbox, selection, similar, weigh, focusSearch, toggleCaptions,
});
for (const opener of document.querySelectorAll("[data-opens=keys]")) {
  opener.addEventListener("click", () => find("#keys").showModal());
}
grid.element.replaceChildren();
if (given.page) results.show(apiParams(pageParams()), given.page);
await navigation.start(results);
