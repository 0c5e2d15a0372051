// The page of one image.

import { copyText, find } from "./dom.js";

const copy = find("#copy-path");
copy.addEventListener("click", () =>
  copyText(copy.dataset.path, "Copied the path", "path.txt"),
);
