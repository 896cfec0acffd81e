// What a comparison or a proposal is about: a rule, a channel, a reason, a service level, a team.
import { html } from "../html.js";
import { texts, told, word } from "../words.js";

export function ScopeFields({ rules, values, onChange }) {
  const t = texts.value.impact;
  const inbox = texts.value.inbox;
  const choice = (name, any, options) => html`<label>${t.scope[name]}<select name=${name} onChange=${(event) => onChange({ [name]: event.target.value })}>
    <option value="" selected=${!values[name]}>${any}</option>${options.map(([value, label]) => html`<option key=${value} value=${value} selected=${value === values[name]}>${label}</option>`)}</select></label>`;
  const named = (vocabulary, without = "") => Object.keys(texts.value[vocabulary]).filter((one) => one !== without).map((one) => [one, word(vocabulary, one)]);
  return html`${choice("rule", t.anyRule, rules.map((one) => [one.id, told(one.title)]))}
    ${choice("channel", inbox.anyChannel, named("channel"))}${choice("reason", inbox.anyReason, named("reason", "return"))}${choice("service_level", inbox.anyLevel, named("level"))}
    <label>${t.scope.team}<input type="text" name="team" maxlength="200" autocomplete="off" value=${values.team} placeholder=${inbox.anyTeam} onChange=${(event) => onChange({ team: event.target.value.trim() })} /></label>`;
}

// What a scope says, in words: the rule's title, then the rest.
export function scopeWords(scope, rules) {
  const t = texts.value.impact;
  const parts = [];
  if (scope.rule) parts.push(told(rules.find((one) => one.id === scope.rule)?.title) || scope.rule);
  if (scope.channel) parts.push(word("channel", scope.channel));
  if (scope.reason) parts.push(word("reason", scope.reason));
  if (scope.service_level) parts.push(word("level", scope.service_level));
  if (scope.team) parts.push(t.team(scope.team));
  return parts.join(" · ") || t.everything;
}
