// The history of the browser: the URL holds the query, an entry the results and where they were.

const KEPT = 12;
const newKey = () => Math.random().toString(36).slice(2);

export class Navigation {
  /** `page` has snapshot(), count(), show(params, entry) and lightbox(isOpen). */
  constructor(page) {
    this.page = page;
    this.snapshots = new Map();
    this.kind = null;
    this.search = location.search;
    history.scrollRestoration = "manual";
    if (!history.state?.key) history.replaceState({ key: newKey() }, "");
    this.key = history.state.key;
    addEventListener("popstate", () => this.#onPop());
    addEventListener("pagehide", () => this.#note());
    let timer = 0;
    addEventListener("scroll", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.#note(), 200);
    }, { passive: true });
  }

  isCurrent(params) {
    return urlOf(params) === this.search;
  }

  /** Go to a query; several changes of one `kind`, such as keystrokes, are one step. */
  go(params, kind) {
    const joins = this.kind !== null && (kind === this.kind || (kind === null && this.kind === "typing"));
    const url = urlOf(params);
    if (joins || url === this.search) {
      history.replaceState({ key: this.key }, "", url);
    } else {
      this.#note();
      this.#keep();
      this.key = newKey();
      history.pushState({ key: this.key }, "", url);
    }
    this.search = url;
    this.kind = kind;
  }

  /** Show what an earlier visit of this page had: more pages, and the place in them. */
  async start(results) {
    const { count = 0, scroll = 0, lightbox } = history.state;
    if (count) await results.until(count);
    if (scroll) scrollTo(0, scroll);
    if (lightbox || location.hash) this.page.lightbox(true);
  }

  #note() {
    if (history.state?.key !== this.key) return;
    const state = { ...history.state, scroll: scrollY, count: this.page.count() };
    history.replaceState(state, "");
  }

  #keep() {
    this.snapshots.delete(this.key);
    this.snapshots.set(this.key, this.page.snapshot());
    if (this.snapshots.size > KEPT) this.snapshots.delete(this.snapshots.keys().next().value);
  }

  #onPop() {
    if (!history.state) history.replaceState({ key: this.key }, ""); // a link within the page
    const { state } = history;
    if (state.key === this.key) {
      this.page.lightbox(Boolean(state.lightbox));
      return;
    }
    this.#keep();
    this.key = state.key;
    this.kind = null;
    this.search = location.pathname + location.search;
    const { scroll = 0, count = 0 } = state;
    const snapshot = this.snapshots.get(this.key);
    this.page.show(new URLSearchParams(location.search), { scroll, count, snapshot });
  }
}

const urlOf = (params) => (String(params) ? `/?${params}` : "/");
