// The language of whoever looks, and its texts. One module a language; both have the same keys (a test holds it).
import { computed, signal } from "@preact/signals";
import en from "./texts/en.js";
import ko from "./texts/ko.js";

const TEXTS = { en, ko };
const KEPT = "waymark-language";

function first() {
  const kept = localStorage.getItem(KEPT);
  return kept in TEXTS ? kept : navigator.language.startsWith("ko") ? "ko" : "en";
}

export const language = signal(first());
export const texts = computed(() => TEXTS[language.value]);

export function speak(chosen) {
  localStorage.setItem(KEPT, chosen);
  language.value = chosen;
}

// A word of a closed or open vocabulary; what the company named itself is shown in its own words.
export function word(vocabulary, code) {
  if (code === undefined || code === null || code === "") return "";
  const known = texts.value[vocabulary][code];
  return known ?? String(code).replaceAll("_", " ");
}

// A text that the services give in both languages.
export const told = (both) => (both ? both[language.value] : "");

export const count = (n) => n.toLocaleString(language.value);
