// Identifiers as people type and read them: what a text may be, and how it is shown to somebody over the shoulder.
import { identifiers } from "./catalogue.js";
import { language } from "./words.js";

const ID = /^(id:)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

// The references that a text may mean, the likeliest first. The service says which of them it knows.
export function readings(typed) {
  const text = typed.trim();
  if (!text) return [];
  if (ID.test(text)) return [text.replace(/^id:/i, "")];
  const colon = text.indexOf(":");
  if (colon > 0 && /^[a-z][a-z0-9_]*$/.test(text.slice(0, colon))) return [text];
  if (text.includes("@")) return [`email:${text}`];
  if (/^\+?[\d\s().-]{7,}$/.test(text)) return [`phone:${text}`, `customer_id:${text}`];
  return [`customer_id:${text}`, `loyalty_id:${text}`, `account_id:${text}`];
}

export const typeName = (type) => identifiers[type]?.[language.value] ?? type.replaceAll("_", " ");

// Enough to recognise it, too little to use it: the beginning and the end.
export function masked(type, value) {
  if (value.includes("*")) return value;
  if (type === "email" && value.includes("@")) {
    const at = value.lastIndexOf("@");
    return `${value.slice(0, Math.min(2, at))}***${value.slice(at)}`;
  }
  if (type === "phone") return `${value.slice(0, -8)}****${value.slice(-4)}`;
  return value.length <= 4 ? `${value.slice(0, 1)}***` : `${value.slice(0, 2)}***${value.slice(-2)}`;
}
