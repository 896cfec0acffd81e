// Where we are: the path below the document's base, and the query. Links inside are followed without a new document.
import { signal } from "@preact/signals";

const root = new URL(document.baseURI).pathname;

// Messages link to an issue by `/#id`, as the page of alerts has it.
if (/^#[0-9a-f-]{36}$/.test(location.hash)) history.replaceState(null, "", new URL(`issues/${location.hash.slice(1)}`, document.baseURI));

function here() {
  return { path: `/${location.pathname.slice(root.length)}`, query: new URLSearchParams(location.search) };
}

export const place = signal(here());
addEventListener("popstate", () => { place.value = here(); });

export function go(target, { replace = false } = {}) {
  const address = new URL(target.replace(/^\//, ""), document.baseURI);
  if (address.href === location.href) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  place.value = here();
}

// The query with some members changed; an empty value takes a member out.
export function withQuery(changes) {
  const query = new URLSearchParams(place.value.query);
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name);
    for (const one of [value].flat()) if (one !== "" && one !== null && one !== undefined) query.append(name, one);
  }
  const text = query.toString();
  return place.value.path + (text ? `?${text}` : "");
}

export const href = (path) => new URL(path.replace(/^\//, ""), document.baseURI).pathname;

addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-inside]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  go(link.pathname.slice(root.length) + link.search);
});
