// The console: finds out who is signed in, and shows the page of the address in the frame that all pages share.
import { render } from "preact";
import { effect } from "@preact/signals";
import { flush } from "./deeds.js";
import { html } from "./html.js";
import { lazy } from "./lazy.js";
import { Notices } from "./notices.js";
import { href, place } from "./router.js";
import { findSession, may, session, signOut } from "./session.js";
import { language, speak, texts } from "./words.js";
import { Inbox } from "./views/inbox.js";
import { SignIn } from "./views/sign_in.js";

const PAGES = [
  { name: "inbox", matches: (path) => path === "/" || path === "/inbox" || path.startsWith("/issues/"), view: Inbox, at: "/" },
  { name: "customers", matches: (path) => path.startsWith("/customers"), view: lazy(() => import("./views/customer.js"), "Customer"), at: "/customers" },
  { name: "outbreaks", matches: (path) => path === "/outbreaks", view: lazy(() => import("./views/outbreaks.js"), "Outbreaks"), at: "/outbreaks" },
  { name: "map", matches: (path) => ["/map", "/funnels", "/heat"].includes(path), view: lazy(() => import("./views/journeys.js"), "Journeys"), at: "/map" },
  { name: "rules", matches: (path) => path === "/rules" || path.startsWith("/rules/"), view: lazy(() => import("./views/rules.js"), "Rules"), at: "/rules" },
  { name: "impact", matches: (path) => path === "/impact", view: lazy(() => import("./views/impact.js"), "ImpactPage"), at: "/impact" },
  { name: "inspector", matches: (path) => path === "/inspector", view: lazy(() => import("./views/inspector.js"), "Inspector"), at: "/inspector" },
  { name: "health", matches: (path) => path === "/pipeline", view: lazy(() => import("./views/health.js"), "Health"), at: "/pipeline" },
];

const NEEDS = { map: "analyse", rules: "analyse", impact: "analyse", improvements: "analyse", inspector: "inspect", health: "health" };
const isOpen = (page) => may(NEEDS[page.name] ?? "look");

function Frame() {
  const t = texts.value;
  if (session.value === undefined) return html`<main class="loading" aria-busy="true"></main>`;
  if (session.value === null) return html`<${SignIn} /><${Notices} />`;
  const page = PAGES.find((one) => one.matches(place.value.path)) ?? null;
  return html`
    <a class="skip" href="#main" onClick=${skip}>${t.skip}</a>
    <header class="bar">
      <a class="home" href=${href("/")} data-inside><img src="static/mark.svg" alt="" width="24" height="24" />Waymark</a>
      <nav aria-label=${t.pages}>
        ${PAGES.filter(isOpen).map((one) => html`<a key=${one.name} href=${href(one.at)} data-inside
          aria-current=${one === page ? "page" : undefined}>${t.page[one.name]}</a>`)}
      </nav>
      <div class="who">
        <span class="name" title=${t.role[session.value.role]}>${session.value.label || t.role[session.value.role]}</span>
        <button type="button" class="quiet" lang=${t.other.lang} onClick=${() => speak(t.other.lang)}>${t.other.name}</button>
        <button type="button" class="quiet" onClick=${() => flush().finally(signOut)}>${t.signOut}</button>
      </div>
    </header>
    ${page && !isOpen(page) ? html`<main id="main" tabindex="-1" class="page"><h1>${t.refusals.role_insufficient}</h1></main>` : page ? html`<${page.view} />` : html`<main id="main" tabindex="-1" class="page"><h1>${t.noPage}</h1></main>`}
    <${Notices} />`;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

effect(() => { document.documentElement.lang = language.value; });
render(html`<${Frame} />`, document.getElementById("app"));
findSession();
