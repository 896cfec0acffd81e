// The live page of the inspector. The key stays in this page's memory: no storage, no cookie, no address. Everything that
// came from a producer is set as text, never as markup.
"use strict";

const WORDS = {
  en: {
    title: "Inspector", doorTitle: "What did I send?",
    doorHint: "A source's key shows what that source sent; an operator's key shows every source. The key stays in this page and is forgotten with it.",
    doorLabel: "Key", enter: "Look", leave: "Forget the key", wrong: "This key opens nothing here.",
    unreachable: "Ingest does not answer.", live: "live", lost: "connection lost, trying again", off: "",
    all: "All", bad: "Refused only", pause: "Pause", resume: "Go on", source: "Source",
    nothing: "Nothing yet. Send something, and it stands here within a second.",
    accepted: "accepted", duplicate: "duplicate", rejected: "rejected", unavailable: "unavailable", refused: "refused",
    faults: "What is wrong, and how to mend it", warnings: "Left out", sent: "What was sent (shapes, never values)",
    became: "The touchpoint it became (identifiers masked)", request: "The request", stood: "sent:", stranger: "unknown source",
    another: "another replica", later: "What became of it",
    fates: {
      applied: "applied", late: "late", duplicate: "was there before", conflict: "conflict", dead_letter: "dead letter",
      waiting: "waiting", unknown: "not known",
    },
    covered: (rejected, replica) => `Taken: this replica (${replica}). Rejected: ${rejected}.`,
    "all replicas": "all replicas", "this replica": "this replica",
    from: {
      "journey service": "What became of it: the journey service.",
      unreachable: "What became of it: not known, the journey service does not answer.",
      "not set up": "What became of it is not asked here (WAYMARK_INGEST_JOURNEY_API).",
    },
    skipped: (about) => `about ${about} more, too fast to show`,
  },
  ko: {
    title: "인스펙터", doorTitle: "내가 무엇을 보냈나요?",
    doorHint: "소스 키는 그 소스가 보낸 것을, 운영자 키는 모든 소스를 보여 줍니다. 키는 이 페이지 안에만 있고 닫으면 사라집니다.",
    doorLabel: "키", enter: "보기", leave: "키 지우기", wrong: "이 키로는 볼 수 없습니다.",
    unreachable: "서버가 응답하지 않습니다.", live: "실시간", lost: "연결이 끊겨 다시 시도합니다", off: "",
    all: "모두", bad: "거부만", pause: "멈춤", resume: "계속", source: "소스",
    nothing: "아직 없습니다. 무엇이든 보내면 1초 안에 여기에 나타납니다.",
    accepted: "수락", duplicate: "중복", rejected: "거부", unavailable: "저장 못 함", refused: "요청 거절",
    faults: "무엇이 잘못됐고 어떻게 고치나요", warnings: "제외한 식별자", sent: "보낸 것 (값이 아니라 모양)",
    became: "만들어진 접점 (식별자는 가림)", request: "요청", stood: "보낸 모양:", stranger: "알 수 없는 소스",
    another: "다른 서버", later: "그 뒤의 결과",
    fates: {
      applied: "반영됨", late: "늦음", duplicate: "이미 있음", conflict: "충돌", dead_letter: "보류",
      waiting: "처리 대기", unknown: "알 수 없음",
    },
    from: {
      "journey service": "그 뒤의 결과: 여정 서비스.",
      unreachable: "그 뒤의 결과: 여정 서비스가 응답하지 않아 알 수 없습니다.",
      "not set up": "그 뒤의 결과는 조회하지 않습니다(WAYMARK_INGEST_JOURNEY_API).",
    },
    covered: (rejected, replica) => `받은 것: 이 서버(${replica}). 거부한 것: ${rejected}.`,
    "all replicas": "모든 서버", "this replica": "이 서버",
    skipped: (about) => `너무 빨라 약 ${about}건은 생략했습니다`,
  },
};
const MARKS = { accepted: "✓", duplicate: "=", rejected: "✗", refused: "✗", unavailable: "?" };
const BAD = new Set(["rejected", "refused"]);
const LOST = new Set(["conflict", "dead_letter"]);
const MOST = 300;

const state = {
  language: (navigator.language || "en").toLowerCase().startsWith("ko") ? "ko" : "en",
  key: "", onlyBad: false, source: "", paused: false, entries: [], held: [], lastId: "", listing: null,
  counts: {}, abort: null, live: "off", skipped: 0,
};

const $ = (id) => document.getElementById(id);
const say = (name) => WORDS[state.language][name];

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined && text !== null) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function query() {
  const given = new URLSearchParams();
  if (state.onlyBad) given.set("outcome", "rejected,refused");
  if (state.source) given.set("source", state.source);
  return given.size ? `?${given}` : "";
}

function asking(more) {
  return { authorization: `Bearer ${state.key}`, "accept-language": state.language, ...more };
}

// --- what is shown ---------------------------------------------------------------------------------------------

function showWords() {
  document.documentElement.lang = state.language;
  $("subject").textContent = say("title");
  $("door-title").textContent = say("doorTitle");
  $("door-hint").textContent = say("doorHint");
  $("door-label").textContent = say("doorLabel");
  $("enter").textContent = say("enter");
  $("leave").textContent = say("leave");
  $("source-label").textContent = say("source");
  $("nothing").textContent = say("nothing");
  $("language").textContent = state.language === "ko" ? "English" : "한국어";
  $("language").lang = state.language === "ko" ? "en" : "ko";
  showLive(state.live);
  showPause();
  showChoices();
  showCounts();
  showCoverage();
}

function showLive(kind) {
  state.live = kind;
  $("live").dataset.state = kind;
  $("live").textContent = say(kind === "on" ? "live" : kind);
}

function showPause() {
  $("pause").setAttribute("aria-pressed", String(state.paused));
  $("pause").textContent = state.paused ? `${say("resume")} (${state.held.length})` : say("pause");
}

function showChoices() {
  const choices = [["all", false], ["bad", true]].map(([name, bad]) => {
    const button = element("button", say(name));
    button.type = "button";
    button.setAttribute("aria-pressed", String(state.onlyBad === bad));
    button.addEventListener("click", () => { state.onlyBad = bad; showChoices(); begin(); });
    return button;
  });
  $("choices").replaceChildren(...choices);
}

function showCounts() {
  const items = Object.keys(MARKS).filter((outcome) => state.counts[outcome]).map((outcome) => {
    const item = element("li");
    item.dataset.outcome = outcome;
    item.append(element("b", state.counts[outcome]), ` ${say(outcome)}`);
    return item;
  });
  $("counts").replaceChildren(...items);
}

function showCoverage() {
  const listing = state.listing;
  let text = listing ? `${say("covered")(say(listing.rejected_from), listing.replica)} ${say("from")[listing.later_from]}` : "";
  if (state.skipped) text += ` ${say("skipped")(state.skipped)}`;
  $("coverage").textContent = text;
}

function clock(text) {
  const moment = new Date(text);
  return [moment.getHours(), moment.getMinutes(), moment.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

function summary(seen) {
  const line = element("summary");
  const time = element("time", clock(seen.received_at));
  time.dateTime = seen.received_at;
  time.title = seen.received_at;
  const what = element("span", undefined, "what");
  what.append(element("strong", seen.id || seen.request?.route || "–"));
  if (seen.became) what.append(` ${seen.became.kind} · ${seen.became.channel}`);
  if (seen.code) what.append(" ", element("code", seen.code, "code"));
  for (const fault of (seen.errors || []).slice(0, 4)) if (fault.path) what.append(" ", element("code", fault.path));
  if (seen.message) what.append(element("span", seen.message, "why"));
  const hint = seen.hint || [...(seen.errors || []), ...(seen.warnings || [])].find((fault) => fault.hint)?.hint;
  if (hint) what.append(element("span", hint, "hint"));
  const where = element("span", seen.source || say("stranger"), "where");
  if (seen.replica === "another") where.append(element("br"), say("another"));
  const outcome = element("span", `${MARKS[seen.outcome]} ${say(seen.outcome)}`, "outcome");
  if (seen.later) outcome.append(later(seen.later));
  if (seen.later && LOST.has(seen.later.outcome)) what.append(element("span", seen.later.message, "why"));
  line.append(time, outcome, what, where);
  return line;
}

function later(told) {
  const shown = element("span", `→ ${say("fates")[told.outcome]}`, "later");
  shown.dataset.fate = told.outcome;
  shown.title = told.message;
  return shown;
}

function faults(list) {
  const shown = element("ul", undefined, "faults");
  for (const fault of list) {
    const item = element("li");
    item.append(element("code", fault.path || "·", "code"), " ", element("code", fault.code));
    if (fault.sent !== undefined) item.append(element("span", `  ${say("stood")} `, "shape"), element("code", fault.sent));
    item.append(element("span", fault.message, "cure"));
    if (fault.hint) item.append(element("span", fault.hint, "hint"));
    shown.append(item);
  }
  return shown;
}

function details(seen) {
  const more = element("div", undefined, "more");
  const part = (name, content) => more.append(element("h3", say(name)), content);
  if (seen.errors?.length) part("faults", faults(seen.errors));
  if (seen.warnings?.length) part("warnings", faults(seen.warnings));
  if (seen.later) {
    const told = element("p", seen.later.message);
    if (seen.later.code) told.prepend(element("code", seen.later.code, "code"), " ");
    part("later", told);
  }
  for (const name of ["request", "sent", "became"]) {
    if (seen[name] !== undefined) part(name, element("pre", pretty(seen[name])));
  }
  return more;
}

function pretty(document_) {
  return typeof document_ === "string" ? document_ : JSON.stringify(document_, null, 2);
}

function row(seen, fresh) {
  const item = element("li");
  item.dataset.cursor = seen.cursor;
  item.dataset.outcome = seen.outcome;
  item.dataset.lost = String(LOST.has(seen.later?.outcome));
  item.dataset.bad = String(BAD.has(seen.outcome) || LOST.has(seen.later?.outcome));
  if (fresh) item.classList.add("fresh");
  const box = element("details");
  box.append(summary(seen));
  box.addEventListener("toggle", () => { if (box.open && box.children.length === 1) box.append(details(seen)); });
  item.append(box);
  return item;
}

function showEntries(fresh) {
  if (fresh) {
    $("entries").prepend(...fresh.map((seen) => row(seen, true)));
    while ($("entries").children.length > MOST) $("entries").lastElementChild.remove();
  } else {
    $("entries").replaceChildren(...state.entries.map((seen) => row(seen, false)));
  }
  $("nothing").hidden = state.entries.length > 0;
}

function learn(news) {
  for (const list of [state.entries, state.held]) {
    for (const seen of list) if (seen.cursor === news.cursor) seen.later = news.later;
  }
  const old = [...$("entries").children].find((item) => item.dataset.cursor === news.cursor);
  const seen = state.entries.find((one) => one.cursor === news.cursor);
  if (!old || !seen) return;
  const made = row(seen, false);
  made.firstElementChild.open = old.firstElementChild.open;
  old.replaceWith(made);
}

function take(fresh) {
  if (!fresh.length) return;
  if (state.paused) {
    state.held = [...fresh, ...state.held].slice(0, MOST);
    showPause();
    return;
  }
  state.entries = [...fresh, ...state.entries].slice(0, MOST);
  for (const seen of fresh) state.counts[seen.outcome] = (state.counts[seen.outcome] || 0) + 1;
  showCounts();
  showEntries(fresh);
}

// --- what is asked ---------------------------------------------------------------------------------------------

async function list() {
  const answer = await fetch(`v1/inspector${query()}`, { headers: asking({}), cache: "no-store" });
  const document_ = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(document_.message), { status: answer.status });
  state.listing = document_;
  state.entries = document_.entries;
  state.counts = {};
  for (const seen of state.entries) state.counts[seen.outcome] = (state.counts[seen.outcome] || 0) + 1;
  showCounts();
  showCoverage();
  showEntries();
}

async function follow(signal) {
  const more = state.lastId ? { "last-event-id": state.lastId } : {};
  const answer = await fetch(`v1/inspector/stream${query()}`, { headers: asking(more), signal, cache: "no-store" });
  if (!answer.ok) throw Object.assign(new Error((await answer.json()).message), { status: answer.status });
  showLive("on");
  $("problem").textContent = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    heard(blocks);
  }
}

function heard(blocks) {
  const fresh = [];
  const news = [];
  for (const block of blocks) {
    const lines = Object.fromEntries(block.split("\n").filter((line) => /^\w+: /.test(line)).map((line) => {
      const at = line.indexOf(": ");
      return [line.slice(0, at), line.slice(at + 2)];
    }));
    if (lines.id) state.lastId = lines.id;
    if (lines.event === "resync") list().catch(() => {});
    else if (lines.event === "skipped") { state.skipped += JSON.parse(lines.data).about; showCoverage(); }
    else if (lines.event === "later") news.push(JSON.parse(lines.data));
    else if (lines.event in MARKS) fresh.unshift(JSON.parse(lines.data));
  }
  const known = new Set(state.entries.slice(0, 200).map((seen) => seen.cursor));
  take(fresh.filter((seen) => !known.has(seen.cursor)));
  news.forEach(learn);
  if (news.length && state.listing) {
    const away = news.some((one) => one.later.code === "journey_unreachable");
    state.listing.later_from = away ? "unreachable" : "journey service";
    showCoverage();
  }
}

async function begin() {
  state.abort?.abort();
  const abort = new AbortController();
  state.abort = abort;
  state.lastId = "";
  state.held = [];
  state.skipped = 0;
  try {
    await list();
  } catch (error) {
    if (error.status === 401 || error.status === 403 || !state.listing) return leave(error.status ? error.message : say("unreachable"));
    $("problem").textContent = error.message;
  }
  $("door").hidden = true;
  $("view").hidden = false;
  $("leave").hidden = false;
  $("source").parentElement.hidden = state.key.startsWith("wm_src_");  // a source's key sees one source
  while (!abort.signal.aborted) {
    try {
      await follow(abort.signal);
    } catch (error) {
      if (abort.signal.aborted) return;
      if (error.status === 401 || error.status === 403) return leave(error.message);
      if (error.status) $("problem").textContent = error.message;
    }
    if (!abort.signal.aborted) showLive("lost");
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

function leave(problem) {
  state.abort?.abort();
  Object.assign(state, { key: "", entries: [], held: [], listing: null, counts: {}, lastId: "" });
  $("door").hidden = false;
  $("view").hidden = true;
  $("leave").hidden = true;
  $("entries").replaceChildren();
  $("door-problem").textContent = problem || "";
  showLive("off");
  $("key").focus();
}

$("door").addEventListener("submit", (event) => {
  event.preventDefault();
  state.key = $("key").value.trim();
  $("key").value = "";
  $("door-problem").textContent = "";
  begin();
});
$("leave").addEventListener("click", () => leave(""));
$("language").addEventListener("click", () => {
  state.language = state.language === "ko" ? "en" : "ko";
  showWords();
  if (state.key) begin();
});
$("pause").addEventListener("click", () => {
  state.paused = !state.paused;
  if (!state.paused) { const held = state.held; state.held = []; take(held); }
  showPause();
});
$("source").addEventListener("change", () => { state.source = $("source").value.trim(); begin(); });
showWords();
