// Query images: pasted, dropped anywhere, or chosen from the disk; uploaded for a short time.

import { uploadQueryImage } from "./api.js";
import { find, toast } from "./dom.js";
import { visible } from "./format.js";

/** Calls `onTerm` with a term for each image that the user gives. */
export function acceptImages(onTerm) {
  const target = find("#drop-target");
  const picker = find("#image-file");
  find("#image-button").addEventListener("click", () => picker.click());
  picker.addEventListener("change", () => {
    upload([...picker.files], onTerm);
    picker.value = "";
  });

  addEventListener("paste", (event) => {
    const files = imagesOf(event.clipboardData);
    if (!files.length) return;
    event.preventDefault();
    upload(files, onTerm);
  });

  let depth = 0; // dragenter and dragleave come for each element on the way
  const accepts = (event) =>
    [...(event.dataTransfer?.types ?? [])].some((type) => type === "Files" || type === TILE_TYPE);
  addEventListener("dragstart", (event) => {
    const id = event.target.closest?.(".tile")?.dataset.id;
    if (id) event.dataTransfer.setData(TILE_TYPE, id);
  });
  addEventListener("dragenter", (event) => {
    if (!accepts(event)) return;
    depth += 1;
    target.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!accepts(event)) return;
    depth = Math.max(0, depth - 1);
    target.hidden = depth === 0;
  });
  addEventListener("dragend", () => {
    depth = 0;
    target.hidden = true;
  });
  addEventListener("dragover", (event) => {
    if (accepts(event)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    if (!accepts(event)) return;
    event.preventDefault();
    depth = 0;
    target.hidden = true;
    const id = event.dataTransfer.getData(TILE_TYPE);
    if (id) {
      if (event.target.closest?.(".header")) onTerm({ kind: "id", content: id, weight: 1 });
      return;
    }
    const files = imagesOf(event.dataTransfer);
    if (files.length) upload(files, onTerm);
    else toast("Only image files can be dropped here.");
  });
}

const TILE_TYPE = "application/x-clipsearch-id";

// The type of a raw or HEIC file is often unknown to the browser: the server decides then.
const imagesOf = (data) =>
  [...(data?.files ?? [])].filter((file) => !file.type || file.type.startsWith("image/"));

async function upload(files, onTerm) {
  for (const file of files.slice(0, 8)) {
    try {
      const { id } = await uploadQueryImage(file);
      onTerm({ kind: "image", content: id, weight: 1 });
    } catch (error) {
      toast(`${visible(file.name)}: ${error.message}`);
    }
  }
}
