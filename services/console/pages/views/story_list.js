// The story as a list: by journey, in each by contact, with the words as they were said and what was hard about them.
import { html } from "../html.js";
import { byJourney, nameOf } from "../story_shape.js";
import { clock, moment } from "../times.js";
import { count, texts, word } from "../words.js";
import { journeyText } from "./story_lanes.js";
import { FrictionWords, TouchpointWords, lasting } from "./touchpoint_words.js";

export function StoryList({ story, pins, chosen, onChoose }) {
  const parts = byJourney(story.touchpoints, story.contacts, story.journeys);
  return html`<div class="story-list">${parts.map((part) => html`<${Part} key=${part.journey?.id ?? "none"} part=${part} pins=${pins} chosen=${chosen} onChoose=${onChoose} />`)}</div>`;
}

function Part({ part, pins, chosen, onChoose }) {
  const t = texts.value.story;
  const { journey } = part;
  return html`<section class="part">
    <header>
      <h2>${journey ? journeyText(journey) || journey.channels.map((one) => word("channel", one)).join(", ") : t.noJourney}</h2>
      ${journey && html`<p class="chips">
        <span class="chip">${t.state[journey.state]}</span>
        ${journey.outcome && html`<span class="chip">${word("said", journey.outcome)}</span>`}
        <span class="chip">${t.contacts(journey.contact_count)}</span><span class="chip">${t.touchpoints(journey.touchpoint_count)}</span>
        <span class="chip">${t.effortOf(Math.round(journey.effort))}</span></p>`}
      ${journey?.progress.map((one) => html`<${Progress} key=${one.definition} progress=${one} />`)}
    </header>
    <ol>${part.entries.map((entry) => html`<li key=${nameOf(entry.touchpoints[0].touchpoint)} class=${entry.contact ? "in-contact" : ""}>
      ${entry.contact && html`<${ContactHead} contact=${entry.contact} />`}
      <ol>${entry.touchpoints.map((one) => html`<${Line} key=${nameOf(one.touchpoint)} one=${one} pins=${pins} isChosen=${one.at === chosen} onChoose=${onChoose} />`)}</ol>
    </li>`)}</ol>
  </section>`;
}

function Progress({ progress }) {
  const t = texts.value.story;
  return html`<ol class="stages" aria-label=${t.stage}>
    ${progress.stages.map((one, at) => html`<li key=${at} data-overdue=${one.overdue} data-here=${!one.left_at && !progress.end}>
      ${one.stage.replaceAll("_", " ")} <time datetime=${one.entered_at}>${clock(one.entered_at)}</time>${one.overdue && ` ${t.overdue}`}</li>`)}
    ${progress.end && html`<li data-end=${progress.end}>${t.ends[progress.end]} <time datetime=${progress.ended_at}>${clock(progress.ended_at)}</time></li>`}
  </ol>`;
}

function ContactHead({ contact }) {
  const t = texts.value.story;
  const facts = [
    contact.outcome && word("said", contact.outcome),
    contact.first_reply_after_s !== undefined && t.reply(lasting(contact.first_reply_after_s)),
    contact.wait_s > 0 && t.wait(lasting(contact.wait_s)),
    contact.transfers > 0 && t.transfers(contact.transfers),
  ].filter(Boolean);
  return html`<h3><span class="chip" data-channel=${contact.channel}>${word("channel", contact.channel)}</span> ${t.contact}
    ${" "}<time datetime=${contact.contacted_at}>${moment(contact.contacted_at)}</time> <span class="faint">${facts.join(" · ")}</span></h3>`;
}

function Line({ one, pins, isChosen, onChoose }) {
  const { touchpoint, at } = one;
  const about = pins.filter((pin) => pin.evidence.includes(at));
  return html`<li id=${`line-${at}`} class="line" data-chosen=${isChosen} data-direction=${touchpoint.direction ?? "none"}>
    <button type="button" class="when" aria-pressed=${isChosen} onClick=${() => onChoose(at)}>
      <time datetime=${touchpoint.occurred_at} title=${moment(touchpoint.occurred_at)}>${clock(touchpoint.occurred_at)}</time></button>
    <span class="where">${word("channel", touchpoint.channel)}</span>
    <div><${TouchpointWords} touchpoint=${touchpoint} />
      ${about.filter((pin) => pin.at !== at).map((pin) => html` <b key=${pin.number} class="pin" data-severity=${pin.friction.severity} title=${texts.value.story.evidenceOf}>${count(pin.number)}</b>`)}
      ${about.some((pin) => pin.at === at) && html`<ul class="pins">${about.filter((pin) => pin.at === at).map((pin) => html`<li key=${pin.number}><${FrictionWords} pin=${pin} /></li>`)}</ul>`}
    </div>
  </li>`;
}
