// Which rows of a long list are drawn: those in sight and a few more. All rows have one height.
import { useEffect, useState } from "preact/hooks";

const SPARE = 8;
const HEAD = 30; // of the columns' names, which stay in sight

export function useWindow(box, rowHeight, length) {
  const [sight, setSight] = useState({ top: 0, height: 800 });
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    let frame = 0;
    const look = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        setSight((before) => (before.top === element.scrollTop && before.height === element.clientHeight
          ? before : { top: element.scrollTop, height: element.clientHeight }));
      });
    };
    look();
    element.addEventListener("scroll", look, { passive: true });
    const sized = new ResizeObserver(look);
    sized.observe(element);
    return () => { element.removeEventListener("scroll", look); sized.disconnect(); cancelAnimationFrame(frame); };
  }, [box.current]);
  const first = Math.max(0, Math.floor(sight.top / rowHeight) - SPARE);
  const last = Math.min(length, Math.ceil((sight.top + sight.height) / rowHeight) + SPARE);
  return { first, last };
}

// Scrolls so that a row is in sight.
export function reveal(element, at, rowHeight) {
  if (!element) return;
  const top = at * rowHeight;
  if (top < element.scrollTop) element.scrollTop = top;
  else if (top + rowHeight + HEAD > element.scrollTop + element.clientHeight) element.scrollTop = top + rowHeight + HEAD - element.clientHeight;
}
