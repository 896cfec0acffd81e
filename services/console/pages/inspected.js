// The list of the inspector as it changes: new entries in front, once each; what became of one later. Pure.

const MOST = 300;

// `list` with `entry` in front, unless it stands there, or in `others`, already.
export function kept(entry, list, others = []) {
  if ([...list, ...others].some((one) => one.cursor === entry.cursor)) return list;
  return [entry, ...list].slice(0, MOST);
}

export const withLater = (list, said) => list.map((one) => (one.cursor === said.cursor ? { ...one, later: said.later } : one));
