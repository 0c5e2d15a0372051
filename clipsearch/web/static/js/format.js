// How numbers, dates and paths are written.

const count = new Intl.NumberFormat("en-US");
const shortDate = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", year: "numeric", timeZone: "UTC",
});
const longDate = new Intl.DateTimeFormat("en-GB", {
  weekday: "short", day: "numeric", month: "long", year: "numeric",
  hour: "2-digit", minute: "2-digit", timeZone: "UTC",
});

export const formatCount = (number) => count.format(number);

export const plural = (number, one, many = `${one}s`) =>
  `${formatCount(number)} ${number === 1 ? one : many}`;

// `taken_at` is the time of the camera's clock: it is shown as it is, in no zone.
const moment = (text) => new Date(`${text.slice(0, 19)}Z`);

export const formatDate = (text) => (text ? shortDate.format(moment(text)) : "");
export const formatTime = (text) => (text ? longDate.format(moment(text)) : "");

export function formatBytes(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** The p of a hit if it has one, else its z or its score. */
export function formatScore(hit) {
  if (hit.p !== null && hit.p !== undefined) return `p ${hit.p.toFixed(2)}`;
  if (hit.z !== null && hit.z !== undefined) return `z ${hit.z.toFixed(1)}`;
  return hit.score === null || hit.score === undefined ? "" : hit.score.toFixed(2);
}

const lastSlash = (path) => Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));

export const nameOf = (path) => visible(path.slice(lastSlash(path) + 1));
export const folderOf = (path) => path.slice(0, Math.max(lastSlash(path), 1));

/**
 * A path as a text that an address and a form can hold: bytes that are not UTF-8, which are lone
 * surrogates here, make it the `file://` URI of its bytes. See `clipsearch/web/path_text.py`.
 */
export function pathText(path) {
  if (!/[\p{Cs}\u0000-\u001f\u007f]/u.test(path)) return path;
  const bytes = [...path].map((character) => {
    const byte = character.codePointAt(0) - 0xdc00;
    if (byte >= 0x80 && byte <= 0xff) return `%${byte.toString(16).toUpperCase()}`;
    return character === "/" ? "/" : encodeURIComponent(character);
  });
  return `file://${bytes.join("")}`;
}

/** A path without characters that hide or reverse a part of it; joiners are part of spelling. */
export function visible(text) {
  return text.replace(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, "\ufffd");
}
