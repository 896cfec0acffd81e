// What every module draws with: htm bound to Preact. Text is set as text; nothing here makes HTML of strings.
import { h } from "preact";
import htm from "htm";

export const html = htm.bind(h);
