// The page of the collection: near-duplicates, and the progress of an ingest.

import * as api from "./api.js";
import { find, make } from "./dom.js";
import { formatBytes, formatCount, nameOf, plural, visible } from "./format.js";

const progress = find("#job-progress");
const start = find("#start-ingest");
const cancel = find("#cancel-ingest");
const SHOWN = 100;

listenToDuplicates();
if (find("#job").dataset.job) follow(find("#job").dataset.job);
start?.addEventListener("click", async () => {
  start.disabled = true;
  try {
    follow((await api.startIngest()).id);
  } catch (error) {
    progress.replaceChildren(make("p", { class: "notice error" }, error.message));
    start.disabled = false;
  }
});

/** Show the progress of a job until it ends; the browser connects again by itself. */
function follow(id) {
  const events = new EventSource(`/v1/jobs/${encodeURIComponent(id)}/events`);
  const show = (event) => drawJob(JSON.parse(event.data));
  if (start) start.disabled = true;
  if (cancel) {
    cancel.hidden = false;
    cancel.onclick = () => api.cancelJob(id).catch(() => {});
  }
  events.addEventListener("progress", show);
  events.addEventListener("end", (event) => {
    show(event);
    events.close();
    if (start) start.disabled = false;
    if (cancel) cancel.hidden = true;
    refresh();
  });
}

/** Show the figures, folders and failures as they are now: those of the page, drawn again. */
async function refresh() {
  try {
    const html = await (await fetch(location.href)).text();
    const page = new DOMParser().parseFromString(html, "text/html");
    for (const selector of [".figures", "#roots", "#failures"]) {
      find(selector).replaceWith(find(selector, page));
    }
  } catch {
    // What is shown stays until the page is loaded again.
  }
}

function drawJob(job) {
  const states = { finished: "Finished", failed: "Failed", canceled: "Canceled" };
  const isRunning = job.state === "running";
  const left = job.eta_seconds === null ? "" : `, about ${duration(job.eta_seconds)} left`;
  const title = isRunning
    ? `${plural(job.seen, "file")}${job.total === null ? "" : ` of ${formatCount(job.total)}`}${left}`
    : `${states[job.state]} after ${duration(job.seconds)}`;
  const bar = make("progress", { "aria-label": "Progress", max: Math.max(job.total ?? 1, 1) });
  if (job.total !== null) bar.value = job.seen;
  const names = ["stored", "copied", "moved", "unchanged", "failed"];
  const figures = names
    .filter((name) => job[name])
    .map((name) => make("div", {}, make("dt", {}, name), make("dd", {}, formatCount(job[name]))));
  if (isRunning) {
    const rate = `${job.rate.toFixed(1)} files/s`;
    figures.push(make("div", {}, make("dt", {}, "speed"), make("dd", {}, rate)));
  }
  const failures = (job.report?.failures ?? []).slice(0, SHOWN).map(({ path, reason }) =>
    make("li", {}, make("span", { class: "path" }, visible(path)), make("small", {}, reason)),
  );
  progress.replaceChildren(
    make("p", {}, title),
    isRunning ? bar : "",
    make("dl", { class: "job-figures" }, ...figures),
    job.error ? make("p", { class: "notice error" }, job.error) : "",
    failures.length ? make("ul", { class: "rows" }, ...failures) : "",
  );
}

function duration(seconds) {
  if (seconds < 90) return plural(Math.max(1, Math.round(seconds)), "second");
  return plural(Math.round(seconds / 60), "minute");
}

function listenToDuplicates() {
  const opener = find("#find-duplicates");
  const text = find("#duplicates-text");
  opener.addEventListener("click", async () => {
    opener.disabled = true;
    text.textContent = "Comparing the images\u2026 this takes a while in a large collection.";
    try {
      const { groups, total } = await api.duplicates();
      find("#duplicates-count").textContent = plural(total, "group");
      find("#duplicates").replaceChildren(...groups.map(drawGroup));
      text.textContent = total ? "The best image of each group comes first." : "There are none.";
      if (total > groups.length) {
        text.textContent += ` The ${groups.length} largest groups are shown.`;
      }
      opener.hidden = true;
    } catch (error) {
      text.textContent = error.message;
      opener.disabled = false;
    }
  });
}

function drawGroup(group) {
  const images = group.images.map((image) =>
    make(
      "a",
      { href: `/image/${image.id}`, title: visible(image.path) },
      make("img", {
        src: api.thumbnailUrl(image.id, 256),
        width: image.width,
        height: image.height,
        loading: "lazy",
        alt: nameOf(image.path),
      }),
      `${image.width} \u00d7 ${image.height} \u00b7 ${formatBytes(image.size)}`,
    ),
  );
  return make("div", { class: "duplicate-group" }, ...images);
}
