// Calls of the HTTP API. Errors carry the `detail` of the problem that the server reports.

export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function call(url, options = {}) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server does not answer. Is clipsearch serve still running?", 0);
  }
  if (response.ok) return response;
  if (response.status === 401) {
    location.assign("/login");
  }
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // Not a problem document: the status alone has to do.
  }
  throw new ApiError(problem.detail || problem.title || response.statusText, response.status);
}

const json = async (url, options) => (await call(url, options)).json();

/** Ask again until a result is computed. */
async function computed(url) {
  for (;;) {
    const response = await call(url);
    if (response.status !== 202) return response.json();
    const seconds = Number(response.headers.get("Retry-After")) || 2;
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
}

const post = (url, body, options = {}) =>
  json(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    ...options,
  });

export const search = (params, signal) => json(`/v1/search?${params}`, { signal });
export const explain = (text, id, signal) => post("/v1/explain", { text, id }, { signal });
export const facets = () => computed("/v1/facets");
export const duplicates = () => computed("/v1/duplicates?limit=100");

export const startIngest = () => post("/v1/ingest", {});
export const cancelJob = (id) => call(`/v1/jobs/${encodeURIComponent(id)}`, { method: "DELETE" });

/** Upload a query image; returns { id, width, height, expires_at }. */
export function uploadQueryImage(file) {
  const body = new FormData();
  body.append("file", file);
  return json("/v1/query-images", { method: "POST", body });
}

const id = encodeURIComponent;
export const fileUrl = (key) => `/v1/images/${id(key)}/file`;
export const queryImageUrl = (key) => `/v1/query-images/${id(key)}`;

const STEPS = [128, 256, 384, 512, 768, 1024, 1536, 2048]; // as in `clipsearch/web/thumbnails.py`

/** The address of a thumbnail that is at least so many device pixels wide, if the image is. */
export function thumbnailUrl(key, pixels) {
  const width = STEPS.find((step) => step >= pixels) ?? STEPS.at(-1);
  return `/v1/images/${id(key)}/thumbnail?w=${width}`;
}
