// The lightbox: the images of the grid one by one, in its order, with a panel of details.

import PhotoSwipe from "../vendor/photoswipe/photoswipe.esm.min.js";
import * as api from "./api.js";
import { drawDetails } from "./details.js";
import { find, findAll, icon, make, store, stored } from "./dom.js";
import { explainInto } from "./explain.js";
import { drawBoxes } from "./says.js";
import { describe } from "./tile.js";

const PANEL = 348;
const SHOWN_BY_BROWSERS = new Set(["jpeg", "png", "webp", "gif", "avif"]);
const LARGEST = 2048;
const MOST_ENLARGED = 2; // small images are not enlarged further at first

const fitting = ({ panAreaSize, elementSize }) =>
  Math.min(panAreaSize.x / elementSize.x, panAreaSize.y / elementSize.y);

export class Lightbox {
  /** `actions` has similar(hit), weigh(hit, weight), text() and nearEnd(). */
  constructor(grid, actions) {
    this.grid = grid;
    this.actions = actions;
    this.viewer = null;
    this.isPanelOpen = stored("panel", innerWidth > 900);
  }

  get isOpen() {
    return this.viewer !== null;
  }

  get index() {
    return this.viewer?.currIndex ?? -1;
  }

  get hit() {
    return this.grid.hits[this.index];
  }

  /** Open at an index; the browser's back closes it again. */
  open(index, { isNewEntry = true } = {}) {
    if (this.isOpen || !this.grid.hits[index]) return;
    this.background = [...document.body.children].filter(
      (child) => child.id !== "toast" && child.id !== "keys",
    );
    const viewer = new PhotoSwipe({
      index,
      dataSource: [],
      loop: false,
      bgOpacity: 1,
      wheelToZoom: true,
      trapFocus: false, // `inert` does it, and lets the panel have the focus
      returnFocus: false,
      showHideAnimationType: "none",
      errorMsg: "This image cannot be shown.",
      closeTitle: "Close (Esc)",
      zoomTitle: "Zoom (z)",
      arrowPrevTitle: "Previous (\u2190)",
      arrowNextTitle: "Next (\u2192)",
      initialZoomLevel: (levels) => Math.min(fitting(levels), MOST_ENLARGED),
      secondaryZoomLevel: (levels) => Math.max(1, Math.min(fitting(levels) * 2.5, 4)),
      paddingFn: (viewport) => this.#padding(viewport),
    });
    this.viewer = viewer;
    viewer.addFilter("numItems", () => this.grid.hits.length);
    viewer.addFilter("itemData", (_, number) => this.#item(this.grid.hits[number]));
    viewer.on("uiRegister", () => this.#registerButton(viewer));
    viewer.on("afterInit", () => this.#addPanel(viewer));
    viewer.on("change", () => this.#changed());
    viewer.on("keydown", (event) => {
      const { key, target } = event.originalEvent;
      const isTyped = target.tagName === "INPUT" && key !== "Escape"; // z or an arrow in a text
      if (isTyped || find("#keys").open) event.preventDefault(); // Esc closes the list alone
    });
    viewer.on("imageSizeChange", ({ content, width, height }) => {
      const container = content.slide?.container;
      if (!container) return;
      drawBoxes(container, this.grid.hits[content.slide.index], width, height);
      const heat = find(".heat", container);
      if (heat) Object.assign(heat.style, { width: `${width}px`, height: `${height}px` });
    });
    viewer.on("close", () => this.#closing());
    viewer.on("destroy", () => this.#closed());
    if (isNewEntry) history.pushState({ ...history.state, lightbox: true }, "", this.#hash(index));
    viewer.init();
    for (const element of this.background) element.inert = true;
    viewer.element.focus();
  }

  close({ byHistory = false } = {}) {
    this.isClosingByHistory = byHistory;
    this.viewer?.close();
  }

  togglePanel(isOpen = !this.isPanelOpen) {
    this.isPanelOpen = isOpen;
    store("panel", isOpen);
    this.#showPanel();
    this.viewer.updateSize(true);
  }

  /** Explain the image by the text of the query, or by one that the user types. */
  explain() {
    if (!this.isPanelOpen) this.togglePanel(true);
    const { container, content } = this.viewer.currSlide;
    explainInto(find("#explanation", this.panel), this.hit, this.actions.text(), (source) => {
      find(".heat", container)?.remove();
      if (!source || !content.element) return;
      const heat = make("img", { class: "heat", src: source, alt: "" });
      const { width, height } = content.element.style;
      Object.assign(heat.style, { width, height });
      container.append(heat);
    });
  }

  #hash(index) {
    return `#${this.grid.hits[index].id}`;
  }

  #padding(viewport) {
    if (!this.isPanelOpen) return { top: 0, bottom: 0, left: 0, right: 0 };
    return viewport.x > 720
      ? { top: 0, bottom: 0, left: 0, right: PANEL }
      : { top: 50, bottom: Math.round(viewport.y * 0.48), left: 0, right: 0 };
  }

  #item(hit) {
    if (!hit) return {};
    const { width, height, id } = hit;
    const longest = Math.max(width, height, 1);
    const source = (size) => `${api.thumbnailUrl(id, size)} ${Math.min(size, width)}w`;
    const sources = [512, 1024, LARGEST].map(source);
    const isWhole = SHOWN_BY_BROWSERS.has(hit.format) && longest > LARGEST;
    if (isWhole) sources.push(`${api.fileUrl(id)} ${width}w`);
    const tile = find(`.tile[data-id="${CSS.escape(id)}"] img`);
    return {
      id,
      src: api.thumbnailUrl(id, 1024),
      srcset: sources.join(", "),
      msrc: tile?.currentSrc,
      width: Math.max(width, 1),
      height: Math.max(height, 1),
      alt: describe(hit),
    };
  }

  #registerButton(viewer) {
    viewer.ui.registerElement({
      name: "info",
      title: "Details (i)",
      order: 9,
      isButton: true,
      html: "",
      onInit: (element) => element.append(icon("info")),
      onClick: () => this.togglePanel(),
    });
  }

  #addPanel(viewer) {
    viewer.element.setAttribute("aria-label", "Image");
    viewer.element.setAttribute("aria-modal", "true");
    this.panel = make("aside", { class: "panel", "aria-label": "Details", tabIndex: 0 });
    for (const name of ["pointerdown", "wheel", "click", "touchstart"]) {
      this.panel.addEventListener(name, (event) => event.stopPropagation(), { passive: true });
    }
    viewer.element.append(this.panel);
    this.#showPanel();
    this.#changed();
  }

  #showPanel() {
    this.panel.hidden = !this.isPanelOpen;
    this.viewer.element.classList.toggle("panel-open", this.isPanelOpen);
  }

  #changed() {
    if (!this.panel || !this.hit) return;
    for (const heat of findAll(".heat", this.viewer.element)) heat.remove();
    drawDetails(this.panel, this.hit, {
      similar: (hit) => this.actions.similar(hit),
      weigh: (hit, weight) => this.actions.weigh(hit, weight),
      explain: () => this.explain(),
    });
    history.replaceState(history.state, "", this.#hash(this.index));
    this.grid.current = this.index;
    if (this.index > this.grid.hits.length - 8) this.actions.nearEnd();
  }

  #closing() {
    this.lastIndex = this.index;
    for (const element of this.background) element.inert = false;
  }

  #closed() {
    this.viewer = null;
    this.panel = null;
    const isBack = !this.isClosingByHistory && history.state?.lightbox;
    this.isClosingByHistory = false;
    this.grid.focus(this.lastIndex);
    if (isBack) history.back();
  }
}
