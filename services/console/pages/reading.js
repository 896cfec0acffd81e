// What a page shows of an API: read at once, again when the page is looked at, and every so often while it is.
import { useEffect, useRef, useState } from "preact/hooks";
import { explain } from "./notices.js";
import { call } from "./session.js";

// Returns `{ found, problem, again }`. What was found stays while it is read again, unless it is read `once` as the ground
// of what somebody writes. A path of null reads nothing.
export function useReading(path, { every = 0, once: isOnce = false } = {}) {
  const [state, setState] = useState({ found: null, problem: "" });
  const read = useRef(() => {});
  useEffect(() => {
    if (!path) { setState({ found: null, problem: "" }); return undefined; }
    const control = new AbortController();
    const once = () => call("GET", path, undefined, { signal: control.signal })
      .then((found) => setState({ found, problem: "" }), (refusal) => { if (refusal.name !== "AbortError") setState((before) => ({ ...before, problem: explain(refusal) })); });
    read.current = once;
    const shown = () => { if (document.visibilityState === "visible" && !isOnce) once(); };
    once();
    const timer = every ? setInterval(shown, every) : 0;
    document.addEventListener("visibilitychange", shown);
    return () => { control.abort(); clearInterval(timer); document.removeEventListener("visibilitychange", shown); };
  }, [path]);
  return { ...state, again: () => read.current() };
}
