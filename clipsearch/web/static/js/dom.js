// Small helpers to make elements; text always goes in as text, never as HTML.

const staticBase = new URL("..", import.meta.url).pathname;

export const find = (selector, root = document) => root.querySelector(selector);
export const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

/** Make an element. `props` are properties, except `class`, `data`, and what has a hyphen. */
export function make(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name.includes("-") || name === "role" || name === "for") {
      element.setAttribute(name, value);
    } else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${staticBase}icons.svg#${name}`);
  svg.append(use);
  return svg;
}

export function button(label, iconName, onclick, props = {}) {
  const content = iconName ? [icon(iconName), label] : [label];
  return make("button", { type: "button", class: "button", onclick, ...props }, ...content);
}

let toastTimer = 0;

/** Show a short message; screen readers announce it. */
export function toast(text) {
  const box = find("#toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (box.hidden = true), 2600);
}

export function debounce(action, milliseconds) {
  let timer = 0;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), milliseconds);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

/** Save a text as a file of the user. */
export function saveText(text, name, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Copy a text; where the clipboard is not allowed, save it as a file instead. */
export async function copyText(text, done, fileName) {
  try {
    await navigator.clipboard.writeText(text);
    toast(done);
  } catch {
    saveText(text, fileName, "text/plain");
  }
}

/** A value of this browser, such as the tile size; storage may be forbidden. */
export function stored(name, fallback) {
  try {
    return JSON.parse(localStorage.getItem(`clipsearch.${name}`)) ?? fallback;
  } catch {
    return fallback;
  }
}

export function store(name, value) {
  try {
    localStorage.setItem(`clipsearch.${name}`, JSON.stringify(value));
  } catch {
    // Without storage the value lasts as long as the page.
  }
}
