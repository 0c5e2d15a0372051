// The switch between dark and light; a cookie tells the server, so that pages never flash.

import { find } from "./dom.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

find("#theme").addEventListener("click", () => {
  const current = root.dataset.theme || (dark.matches ? "dark" : "light");
  root.dataset.theme = current === "dark" ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
});
