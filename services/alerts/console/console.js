// The console: lists issues, follows /v1/stream, and lets people act. Everything shown is set as text, never as HTML.
"use strict";

const WORDS = {
  en: {
    title: "Open the console", hint: "A reader key can look; an agent key can also act.", key: "Key",
    enter: "Open", leave: "Log out", other: "한국어", live: "live", connecting: "connecting", lost: "connection lost",
    resolvedToo: "Include resolved issues", quietToo: "Include issues without alerts",
    nothing: "No open issues. No customer is waiting.",
    acknowledge: "Take it", resolve: "Resolve", reopen: "Reopen", snooze: "Snooze for 1 h", note: "Note",
    noteAsk: "Note for the next person", open: "open", acknowledged: "in progress", resolved: "resolved",
    critical: "critical", high: "high", medium: "medium", low: "low", quiet: "no alerts",
    frictions: (count) => `${count} ${count === 1 ? "friction" : "frictions"}`,
    customers: (count) => `${count} ${count === 1 ? "customer" : "customers"}`, held: "part of an outbreak", handed_out: "handed out by an outbreak",
    sinceThen: "since then",
    since: ["since ", ""], snoozedUntil: ["alerts off until ", ""],
    last: "last", timeline: "Journey", evidence: "Why", audit: "History",
    deliveries: "Alerts sent", attempts: (count) => `${count} ${count === 1 ? "attempt" : "attempts"}`, customer: "customer", none: "none", mergedInto: "merged into",
    badKey: "This key cannot open the console.", offline: "The service does not answer. Please try again in a moment.",
    notAllowed: "This key can look, but not act.", conflict: "Somebody else was faster. Please check again.",
    retracted: "retracted", pending: "waiting", delivered: "delivered", exhausted: "failed",
    opened: "issue opened", friction_added: "friction added", friction_updated: "friction changed",
    friction_retracted: "friction retracted", friction_left: "friction moved to another issue",
    severity_raised: "severity raised", moved: "moved with the customer's identity", reopened: "reopened",
    snoozed_: "alerts turned off", snooze_ended: "alerts turned on again", note_: "note", told: "alert sent", not_told: "no alert sent",
    shows: (shown, total, left) => `${shown} of ${total} shown${left ? ` (not shown: ${left})` : ""}`,
    leftOut: (count, severity) => `${count} ${severity}`, no_route: "nobody to alert", older: (count) => `${count} older not shown`, more: (count) => `Show ${count} more`,
    showsResolved: (shown, total) => `Resolved: the latest ${shown} of ${total} shown`,
    liveUnheard: "live, but some alerts are not delivered", caughtTitle: "Some receivers get no alerts",
    unheardTitle: "Some alerts reach nobody", hearingUnknown: "The state of alert delivery is not known at the moment.",
    by_hand: "disabled by an administrator", gone: "disabled: the receiver refuses messages (410)", failing: "disabled: deliveries failed for days",
    unreachable: "deliveries keep failing", holding: "the receiver keeps asking for more time", waits: "waiting",
    unheardRoute: "Nobody is alerted of the issues of this route", unheardRest: "Nobody is alerted of the issues that no route matches",
    caughtRoute: "Only the catch_all receivers are alerted of the issues of this route", unheardIssues: "Open issues that nobody was alerted of",
  },
  ko: {
    title: "콘솔 열기", hint: "reader 키는 조회만, agent 키는 처리까지 할 수 있습니다.", key: "키",
    enter: "열기", leave: "로그아웃", other: "English", live: "실시간", connecting: "연결 중", lost: "연결 끊김",
    resolvedToo: "해결된 이슈 포함", quietToo: "알림 없는 이슈 포함",
    nothing: "열린 이슈가 없습니다. 기다리는 고객도 없습니다.",
    acknowledge: "내가 담당", resolve: "해결", reopen: "다시 열기", snooze: "1시간 알림 끄기", note: "메모",
    noteAsk: "다음 담당자에게 남길 메모", open: "열림", acknowledged: "처리 중", resolved: "해결됨",
    critical: "긴급", high: "높음", medium: "보통", low: "낮음", quiet: "알림 없음",
    customers: (count) => `고객 ${count}명`, held: "동시 다발 이슈에 포함", handed_out: "동시 다발 이슈에서 분리", sinceThen: "그 뒤",
    frictions: (count) => `불편 ${count}건`, since: ["", "부터"], snoozedUntil: ["", "까지 알림 꺼짐"],
    last: "최근", timeline: "고객 여정", evidence: "발생 이유", audit: "처리 이력",
    deliveries: "알림 발송 내역", attempts: (count) => `${count}회 시도`, customer: "고객", none: "없음", mergedInto: "병합된 이슈",
    badKey: "이 키로는 콘솔을 열 수 없습니다.", offline: "서비스가 응답하지 않습니다. 잠시 후 다시 시도해 주세요.",
    notAllowed: "이 키로는 조회만 할 수 있습니다.", conflict: "다른 담당자가 먼저 처리했습니다. 다시 확인해 주세요.",
    retracted: "철회됨", pending: "발송 대기", delivered: "전달 완료", exhausted: "발송 실패",
    opened: "이슈 생성", friction_added: "불편 추가", friction_updated: "불편 내용 변경", friction_retracted: "불편 철회",
    friction_left: "불편이 다른 이슈로 이동", severity_raised: "심각도 상승", moved: "고객 식별 변경에 따라 이동", reopened: "다시 열림",
    snoozed_: "알림 끔", snooze_ended: "알림 다시 켜짐", note_: "메모", told: "알림 발송", not_told: "알림 미발송",
    shows: (shown, total, left) => `전체 ${total}건 중 ${shown}건 표시${left ? ` (미표시: ${left})` : ""}`,
    leftOut: (count, severity) => `${severity} ${count}건`, no_route: "알림 받을 곳 없음", older: (count) => `이전 ${count}건 생략`,
    web: "웹", app: "앱", phone: "전화", ivr: "ARS", chat: "채팅", email: "이메일", sms: "문자", social: "SNS",
    messenger: "메신저", store: "매장", kiosk: "키오스크", field: "방문", device: "기기", mail: "우편", api: "API",
    basic: "일반", enhanced: "우대", premium: "프리미엄", more: (count) => `${count}건 더 보기`,
    showsResolved: (shown, total) => `해결된 이슈 ${total}건 중 최근 ${shown}건 표시`,
    liveUnheard: "실시간 연결됨 · 일부 알림 전달 안 됨", caughtTitle: "알림을 받지 못하는 수신처가 있습니다",
    unheardTitle: "아무도 받지 못하는 알림이 있습니다", hearingUnknown: "지금은 알림 전달 상태를 확인할 수 없습니다.",
    by_hand: "관리자가 비활성화함", gone: "수신 거부 응답(410)으로 비활성화됨", failing: "며칠 동안 전달에 실패해 비활성화됨",
    unreachable: "전달에 계속 실패함", holding: "수신을 계속 미룸", waits: "대기 중",
    unheardRoute: "이 라우트의 이슈는 아무도 알림을 받지 못합니다", unheardRest: "어느 라우트에도 해당하지 않는 이슈는 아무도 알림을 받지 못합니다",
    caughtRoute: "이 라우트의 이슈는 catch_all 수신처만 알림을 받습니다", unheardIssues: "아무에게도 알리지 못한 열린 이슈",
  },
};
const RANK = { critical: 0, high: 1, medium: 2, low: 3 };
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

const $ = (id) => document.getElementById(id);
const state = {
  language: localStorage.getItem("language") || (navigator.language.startsWith("ko") ? "ko" : "en"),
  key: sessionStorage.getItem("key"), issues: new Map(), fresh: new Set(), stream: null, lastId: null, shown: null,
  pages: 1, summary: null, over: null,
  hearing: null,
};
const say = (word) => WORDS[state.language][word] ?? word;

function element(tag, members = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(members)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(made.dataset, value);
    else if (value !== undefined && value !== null) made[name] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function clock(text) {
  const moment = new Date(text);
  const day = moment.toDateString() === new Date().toDateString() ? {} : { month: "short", day: "numeric" };
  const shown = moment.toLocaleString(state.language, { ...day, hour: "2-digit", minute: "2-digit" });
  return element("time", { dateTime: text, title: `${moment.toLocaleString(state.language)} ${ZONE}` }, shown);
}

// Words around a time: "since 10:00", but "10:00부터".
function around(word, text) {
  const [before, after] = say(word);
  return element("span", {}, before, clock(text), after);
}

async function call(method, path, body) {
  const response = await fetch(path, {
    method, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer",
    headers: { authorization: `Bearer ${state.key}`, ...(body ? { "content-type": "application/json" } : {}) },
    body: body ? JSON.stringify(body) : undefined,
  });
  if (!response.ok) throw Object.assign(new Error("refused"), { status: response.status });
  return response.json();
}

function explain(error) {
  const words = { 401: "badKey", 403: "notAllowed", 409: "conflict" };
  return say(words[error.status] ?? "offline");
}

// -- the list: the severest first, and what does not fit is counted, never left out in silence

const PAGE = 200;
const RESOLVED = 100;

const loud = () => ($("with-quiet").checked ? "" : "&quiet=false&held=false");
const isOpen = (issue) => issue.state !== "resolved";
const number = (count) => count.toLocaleString(state.language);

function wanted(issue) {
  return (isOpen(issue) || $("with-resolved").checked) && (!(issue.quiet || issue.held_by) || $("with-quiet").checked);
}

// As the service orders them: unresolved ones by severity, then the latest.
function order(a, b) {
  return isOpen(b) - isOpen(a) || (isOpen(a) && RANK[a.severity] - RANK[b.severity]) ||
    Date.parse(b.last_at) - Date.parse(a.last_at) || (a.id < b.id ? 1 : -1);
}

const shownOf = (open) => [...state.issues.values()].filter((issue) => wanted(issue) && isOpen(issue) === open).sort(order);

async function load() {
  const resolvedToo = $("with-resolved").checked;
  const [unresolved, resolved, summary, over] = await Promise.all([
    pages(`v1/issues?state=unresolved&sort=severity&limit=${PAGE}${loud()}`, state.pages),
    resolvedToo ? pages(`v1/issues?state=resolved&limit=${RESOLVED}${loud()}`, 1) : [],
    call("GET", `v1/issues/summary?state=unresolved${loud()}`),
    resolvedToo ? call("GET", `v1/issues/summary?state=resolved${loud()}`) : null,
  ]);
  state.issues = new Map();
  for (const issue of [...unresolved, ...resolved]) {
    if (!(state.issues.get(issue.id)?.version > issue.version)) state.issues.set(issue.id, issue);
  }
  state.summary = summary;
  state.over = over;
  trim();
  draw();
}

async function pages(path, most) {
  const found = [];
  for (let count = 0, cursor = ""; count < most; count += 1) {
    const page = await call("GET", path + cursor);
    found.push(...page.issues);
    if (!page.next_cursor) break;
    cursor = `&cursor=${encodeURIComponent(page.next_cursor)}`;
  }
  return found;
}

// However many mild ones come, the severest stay: the last of the order makes room.
function trim() {
  for (const issue of shownOf(true).slice(state.pages * PAGE)) state.issues.delete(issue.id);
}

function take(issue) {
  const known = state.issues.get(issue.id);
  if (known && known.version >= issue.version) return;
  if (!known) state.fresh.add(issue.id);
  state.issues.set(issue.id, { quiet: known?.quiet ?? false, ...issue });
  trim();
  schedule();
  recount();
}

// An issue that is not shown needs to be asked for only where it would be.
function enters(issue) {
  const shown = shownOf(true);
  return shown.length < state.pages * PAGE || order(issue, shown[shown.length - 1]) < 0;
}

let counting = 0;
function recount() {
  counting ||= setTimeout(async () => {
    counting = 0;
    if (!state.key) return;
    try {
      state.summary = await call("GET", `v1/issues/summary?state=unresolved${loud()}`);
      if (shownOf(true).length < Math.min(state.pages * PAGE, state.summary.total)) await load();
      else draw();
    } catch (error) {
      if (error.status === undefined) recount(); // the stream's light says that the service does not answer
    }
  }, 1000);
}

let drawing = 0;
function schedule() {
  if (!drawing) drawing = requestAnimationFrame(() => { drawing = 0; draw(); });
}

function draw() {
  const held = document.activeElement?.closest?.("#issues > li");
  const place = held ? [held.dataset.id, [...held.querySelectorAll("button")].indexOf(document.activeElement)] : null;
  const unresolved = shownOf(true);
  const resolved = shownOf(false).slice(0, RESOLVED);
  $("issues").replaceChildren(...[...unresolved, ...resolved].map(line));
  if (place) $("issues").querySelector(`li[data-id="${place[0]}"]`)?.querySelectorAll("button")[place[1]]?.focus();
  $("nothing").hidden = state.summary === null || unresolved.length + resolved.length > 0;
  const said = cuts(unresolved, resolved);
  if (said.join("\n") !== [...$("cut").children].map((part) => part.textContent).join("\n")) { // read out once, not each time
    $("cut").replaceChildren(...said.map((text) => element("p", {}, text)));
  }
  const left = (state.summary?.total ?? 0) - unresolved.length;
  $("more").hidden = left <= 0;
  $("more").textContent = say("more")(Math.min(PAGE, left));
  const open = Object.fromEntries((state.summary?.severities ?? []).map((of) => [of.severity, of.open]));
  $("counts").replaceChildren(...Object.keys(RANK).map((severity) => element("li", { data: { severity, none: String(!open[severity]) } },
    element("b", {}, number(open[severity] ?? 0)), " ", element("span", { className: "severity" }, say(severity)))));
  const all = Object.values(open).reduce((sum, count) => sum + count, 0);
  document.title = all ? `(${number(all)}) Waymark` : "Waymark";
  state.fresh.clear();
}

// What is there and not shown, in words.
function cuts(unresolved, resolved) {
  const parts = [];
  const total = state.summary?.total ?? 0;
  if (total > unresolved.length) {
    const left = state.summary.severities.map((of) => [of.severity, of.open + of.acknowledged -
      unresolved.filter((issue) => issue.severity === of.severity).length]).filter(([, count]) => count > 0);
    const names = left.map(([severity, count]) => say("leftOut")(number(count), say(severity))).join(", ");
    parts.push(say("shows")(number(unresolved.length), number(total), names));
  }
  if (state.over && $("with-resolved").checked && state.over.total > resolved.length) {
    parts.push(say("showsResolved")(number(resolved.length), number(state.over.total)));
  }
  return parts;
}

function more() {
  state.pages += 1;
  load().catch((error) => { $("problem").textContent = explain(error); });
}

function line(issue) {
  const facts = [
    element("span", { className: "severity" }, say(issue.severity)),
    element("span", {}, issue.state === "open" ? say("open") : `${say(issue.state)}${who(issue)}`),
    issue.quiet ? element("span", { className: "chip" }, say("quiet")) : null,
    issue.service_level ? element("span", { className: "chip" }, say(issue.service_level)) : null,
    issue.snoozed_until && isOpen(issue) ? element("span", { className: "chip" }, around("snoozedUntil", issue.snoozed_until)) : null,
    element("span", {}, [issue.channel && say(issue.channel), issue.reason].filter(Boolean).join(" · ")),
    element("span", {}, say("frictions")(issue.count)),
    issue.outbreak ? element("span", { className: "chip" }, say("customers")(issue.outbreak.customers)) : null,
    issue.held_by ? element("span", { className: "chip" }, say("held")) : null,
    element("span", {}, `${say("last")} `, clock(issue.last_at)),
    issue.team ? element("span", { className: "chip" }, issue.team) : null,
  ];
  const about = { id: issue.id, severity: issue.severity, state: issue.state, quiet: String(issue.quiet) };
  const item = element("li", { data: about },
    element("button", { type: "button", className: "title", onclick: () => show(issue.id) }, issue.title[state.language]),
    element("p", { className: "facts" }, ...facts.filter(Boolean)),
    element("div", { className: "actions" }, ...actions(issue)));
  if (state.fresh.has(issue.id)) item.classList.add("fresh");
  return item;
}

function who(issue) {
  const name = issue.state === "resolved" ? issue.resolution : issue.acknowledged_by;
  return name ? ` (${say(name)})` : "";
}

function actions(issue) {
  const button = (action, primary, body) => element("button",
    { type: "button", className: primary ? "primary" : "", onclick: () => act(issue, action, body) }, say(action));
  if (issue.state === "resolved") return issue.merged_into ? [] : [button("reopen")];
  return [issue.state === "open" ? button("acknowledge", true) : null,
    button("resolve", issue.state === "acknowledged")].filter(Boolean);
}

async function act(issue, action, body) {
  $("problem").textContent = "";
  try {
    take(await call("POST", `v1/issues/${issue.id}/${action}`, body));
    if (state.shown === issue.id) await show(issue.id);
  } catch (error) {
    $("problem").textContent = explain(error);
    if (error.status === 409) await load();
  }
}

// -- one issue

async function show(id) {
  let issue;
  try {
    issue = await call("GET", `v1/issues/${id}`);
  } catch (error) {
    $("problem").textContent = explain(error);
    return;
  }
  state.shown = id;
  location.hash = id;
  $("detail-title").textContent = issue.title[state.language];
  $("detail-body").replaceChildren(...detail(issue));
  if (!$("detail").open) $("detail").showModal();
}

function detail(issue) {
  const list = (items) => items.length ? element("ul", {}, ...items) : element("p", { className: "code" }, say("none"));
  const head = element("p", { className: "facts", data: { severity: issue.severity } },
    element("span", { className: "severity" }, say(issue.severity)), element("span", {}, say(issue.state) + who(issue)),
    around("since", issue.first_at),
    issue.snoozed_until ? around("snoozedUntil", issue.snoozed_until) : null,
    element("span", { className: "code" }, issue.outbreak ? say("customers")(issue.outbreak.customers) : `${say("customer")} ${issue.customer_id}`),
    issue.held_by ? element("span", { className: "code" }, `${say("held")} ${issue.held_by}`) : null,
    issue.merged_into ? element("span", { className: "code" }, `${say("mergedInto")} ${issue.merged_into}`) : null);
  const older = (count) => (count ? element("p", { className: "code" }, say("older")(number(count))) : null);
  const left = issue.not_shown;
  const frictions = issue.evidence.map((f) => element("li", {}, f.explanation[state.language],
    f.state === "retracted" ? ` (${say("retracted")})` : "", " ", element("span", { className: "code" }, f.rule)));
  const steps = (issue.story ?? []).map((s) => element("li", {}, clock(s.occurred_at), " ", s.said[state.language],
    s.since ? ` (${say("sinceThen")})` : ""));
  const advice = [issue.why, issue.playbook].filter(Boolean).map((said) => element("p", {}, said[state.language]));
  const events = issue.events.map((e) => element("li", {}, clock(e.at), ` ${e.actor}: ${say({ snoozed: "snoozed_", note: "note_" }[e.kind] ?? e.kind)}`,
    e.detail.note ? ` “${e.detail.note}”` : e.detail.reason ? ` (${say(e.detail.reason)})` : ""));
  const told = issue.deliveries.map((d) => element("li", {}, clock(d.created_at),
    ` ${d.endpoint}: ${d.type}, ${say(d.state)}, ${say("attempts")(d.attempts)}`));
  const extra = issue.state === "resolved" ? [] : [
    element("button", { type: "button", onclick: () => act(issue, "snooze", { for_s: 3600 }) }, say("snooze"))];
  const note = element("button", { type: "button", onclick: () => {
    const text = prompt(say("noteAsk"));
    if (text) act(issue, "note", { text });
  } }, say("note"));
  return [head, ...advice, element("div", { className: "row" }, ...actions(issue), ...extra, note),
    element("h3", {}, say("evidence")), list(frictions), older(left.evidence),
    element("h3", {}, say("timeline")), list(steps), element("h3", {}, say("audit")), list(events), older(left.events),
    element("h3", {}, say("deliveries")), list(told), older(left.deliveries)].filter(Boolean);
}

// -- live, and whether people are told

function light(word) {
  const troubled = word === "live" && Boolean(state.hearing) && !state.hearing.heard;
  $("live").dataset.state = troubled ? "unheard" : { live: "on", lost: "lost" }[word] ?? "off";
  $("live").textContent = troubled ? say("liveUnheard") : word ? say(word) : "";
  $("live").dataset.word = word;
}

async function listen() {
  try {
    state.hearing = await call("GET", "v1/hearing");
  } catch (error) {
    state.hearing = { heard: false, unknown: true, silent: [], unheard: [], caught: [], unheard_issues: 0 };
  }
  if (!state.key) state.hearing = null;
  warn();
}

function warn() {
  const found = state.hearing;
  const lines = found ? warnings(found) : [];
  $("hearing").hidden = lines.length === 0;
  $("hearing").dataset.worst = found && (found.unheard.length || found.unheard_issues) ? "unheard" : "caught";
  $("hearing-title").textContent = say($("hearing").dataset.worst === "unheard" ? "unheardTitle" : "caughtTitle");
  $("hearing-lines").replaceChildren(...lines.map((parts) => element("li", {}, ...parts)));
  if ($("live").dataset.word) light($("live").dataset.word);
}

function warnings(found) {
  const since = (moment) => moment ? [", ", around("since", moment)] : [];
  const silent = found.silent.filter((one) => one.reason !== "by_hand" || one.waiting).map((one) =>
    [element("b", {}, one.name), `: ${say(one.reason)}`, ...since(one.since),
      ...(one.waiting ? [`; ${say("waits")}: ${one.waiting}`, ...since(one.waiting_since)] : [])]);
  const ways = (list, word) => list.map((way) => way.name === null ? [say("unheardRest")] : [`${say(word)}: `, element("b", {}, way.name)]);
  return [...(found.unknown ? [[say("hearingUnknown")]] : []), ...ways(found.unheard, "unheardRoute"),
    ...(found.unheard_issues ? [[`${say("unheardIssues")}: ${found.unheard_issues}`, ...since(found.unheard_since)]] : []),
    ...silent, ...ways(found.caught, "caughtRoute")];
}

async function follow() {
  const control = new AbortController();
  state.stream = control;
  for (let pause = 500; !control.signal.aborted; pause = Math.min(pause * 2, 15000)) {
    light("connecting");
    try {
      const headers = { authorization: `Bearer ${state.key}`, ...(state.lastId ? { "last-event-id": state.lastId } : {}) };
      const response = await fetch("v1/stream", { headers, signal: control.signal, cache: "no-store" });
      if (response.status === 401) return leave(say("badKey"));
      if (response.ok) {
        await read(response.body.getReader(), () => { pause = 500; });
      }
    } catch (error) {
      if (control.signal.aborted) return;
    }
    light("lost");
    await new Promise((done) => setTimeout(done, pause));
  }
}

async function read(reader, alive) {
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const silence = setTimeout(() => reader.cancel(), 40000); // a sign of life comes every 15 seconds
    const { value, done } = await reader.read();
    clearTimeout(silence);
    if (done) return;
    alive();
    rest += decoder.decode(value, { stream: true });
    const blocks = rest.split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) await receive(block);
  }
}

async function receive(block) {
  const members = Object.fromEntries(block.split("\n").filter((text) => text && !text.startsWith(":"))
    .map((text) => [text.slice(0, text.indexOf(":")), text.slice(text.indexOf(":") + 2)]));
  if (!members.event) return;
  if (members.event === "ready" || members.event === "resync") await Promise.all([load(), listen()]);
  light("live");
  if (members.id) state.lastId = members.id;
  if (members.event.startsWith("issue.")) {
    const issue = JSON.parse(members.data);
    const known = state.issues.get(issue.id);
    // The stream carries issue v1; whether an issue is quiet is known to the API alone.
    if (known && !known.quiet) take(issue);
    else if (known || (isOpen(issue) ? enters(issue) : $("with-resolved").checked)) {
      take(await call("GET", `v1/issues/${issue.id}`).catch(() => issue));
    } else recount();
    if (state.shown === issue.id && $("detail").open) await show(issue.id);
  }
}

// -- logging in and out

function enter(key) {
  state.key = key;
  sessionStorage.setItem("key", key);
  $("login").hidden = true;
  $("inbox").hidden = $("leave").hidden = false;
  follow();
  if (location.hash.length > 30) show(location.hash.slice(1));
}

function leave(problem = "") {
  state.stream?.abort();
  state.key = state.lastId = state.hearing = null;
  state.issues.clear();
  state.summary = state.over = null;
  state.pages = 1;
  warn();
  sessionStorage.removeItem("key");
  $("inbox").hidden = $("leave").hidden = true;
  $("login").hidden = false;
  $("login-problem").textContent = problem;
  light("");
  $("key").focus();
}

function speak() {
  document.documentElement.lang = state.language;
  const texts = { "login-title": "title", "login-hint": "hint", "login-label": "key", enter: "enter", leave: "leave",
    language: "other", "with-resolved-label": "resolvedToo", "with-quiet-label": "quietToo", nothing: "nothing" };
  for (const [id, word] of Object.entries(texts)) $(id).textContent = say(word);
  $("language").lang = state.language === "ko" ? "en" : "ko";
  warn();
  draw();
}

$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  state.key = $("key").value.trim();
  $("key").value = "";
  try {
    await call("GET", "v1/issues?limit=1");
    enter(state.key);
  } catch (error) {
    leave(explain(error));
  }
});
$("language").addEventListener("click", () => {
  state.language = state.language === "ko" ? "en" : "ko";
  localStorage.setItem("language", state.language);
  speak();
  if (state.shown && $("detail").open) show(state.shown);
});
$("leave").addEventListener("click", () => leave());
$("close").addEventListener("click", () => $("detail").close());
$("detail").addEventListener("close", () => { state.shown = null; history.replaceState(null, "", location.pathname); });
$("more").addEventListener("click", more);
for (const id of ["with-resolved", "with-quiet"]) $(id).addEventListener("change", () => load().catch(() => {}));
setInterval(() => { if (state.key) schedule(); }, 60000);
setInterval(() => { if (state.key) listen(); }, 15000);

speak();
if (state.key) enter(state.key); else leave();
