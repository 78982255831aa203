// New version: reads what is chosen, asks the server what it makes of the images, and puts the answer in its places.
"use strict";

const form = document.getElementById("build");
const present = JSON.parse(document.getElementById("present").textContent);
const words = JSON.parse(document.getElementById("words").textContent);
const url = form.dataset.url;
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const WAIT_MS = 120, AGAIN_MS = 1000, LONGEST_ADDRESS = 6000;
let turn = 0, waiting = 0, asking = null, numbers = 0, changed = null;

// --- what is chosen

const sorted = value => Array.isArray(value) ? value.map(sorted) : value && typeof value === "object"
  ? Object.fromEntries(Object.keys(value).sort().map(key => [key, sorted(value[key])])) : value;
const same = (one, other) => JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));

function valueOf(field) {
  const kind = field.dataset.kind, optional = "optional" in field.dataset;
  if (kind === "fractions") return fractions(field);
  if (kind === "choices") return all("input", field).filter(one => one.checked).map(one => one.value);
  const input = field.querySelector("select, textarea, input:not([type=range])");
  if (kind === "flag") return input.checked;
  const text = input.value.trim();
  if (kind === "list") {
    const lines = text.split("\n").map(line => line.trim()).filter(Boolean);
    return optional && !lines.length ? null : lines;
  }
  if (kind === "json") { try { return JSON.parse(text); } catch { return text; } }
  if (optional && text === "") return null;
  return (kind === "integer" || kind === "number") && text !== "" ? Number(text) : text;
}

function argumentsOf(card) {
  const found = {};
  for (const field of all("[data-name]", card)) {
    const value = valueOf(field);
    if ("given" in field.dataset || !same(value, JSON.parse(field.dataset.default))) found[field.dataset.name] = value;
  }
  return found;
}

const stepsOn = block => all(`#steps-${block} > .step.is-on`);
const nameOf = card => card.dataset.step.split(".")[1];
const titleOf = card => card.querySelector(".title strong").textContent;

function settings() {
  const chosen = { "split.era": present["split.era"] + (document.getElementById("anew").checked ? 1 : 0) };
  for (const field of all("[data-key]")) chosen[field.dataset.key] = valueOf(field);
  for (const block of ["preprocess", "augment"]) {
    const steps = stepsOn(block).map(card => ({ [nameOf(card)]: argumentsOf(card) }));
    chosen[`${block}.enabled`] = steps.length > 0 || (present[`${block}.enabled`] && !present[`${block}.steps`].length);
    if (steps.length) chosen[`${block}.steps`] = steps;
  }
  return Object.fromEntries(Object.entries(chosen).filter(([key, value]) => !same(value, present[key])));
}

// --- shares: two handles on one bar

const cuts = [document.getElementById("cut-1"), document.getElementById("cut-2")];
function fractions(field) {
  const given = JSON.parse(field.dataset.value);
  if (!("moved" in field.dataset)) return given;
  const [first, second] = cuts.map(one => Number(one.value));
  return { train: first / 100, valid: Math.round(second - first) / 100, test: Math.round(100 - second) / 100 };
}
function drawShares() {
  const [first, second] = cuts.map(one => Number(one.value)), bar = document.querySelector(".bar-of-splits");
  const from = [0, first, second, 100];
  ["train", "valid", "test"].forEach((name, number) => {
    const part = bar.querySelector(`.${name}`), size = from[number + 1] - from[number];
    part.setAttribute("x", from[number]);
    part.setAttribute("width", size);
    document.querySelector(`[data-share=${name}]`).textContent = `${size} %`;
  });
}
function startShares() {
  const given = fractions(document.getElementById("fractions"));
  cuts[0].value = Math.round(given.train * 100);
  cuts[1].value = Math.round((given.train + given.valid) * 100);
  cuts.forEach((one, number) => one.addEventListener("input", () => {
    document.getElementById("fractions").dataset.moved = "";
    const other = cuts[1 - number];
    if (number ? Number(one.value) < Number(other.value) : Number(one.value) > Number(other.value)) other.value = one.value;
    drawShares();
  }));
  drawShares();
}

// --- asking

function later(card = null) {
  changed = card || changed;
  clearTimeout(waiting);
  waiting = setTimeout(ask, WAIT_MS);
}

async function post(to, content, signal) {
  const answer = await fetch(`${url}/${to}`, {
    method: "POST", headers: { "content-type": "application/json", "hx-request": "true" }, body: JSON.stringify(content), signal,
  });
  const part = document.createElement("template");
  part.innerHTML = answer.status === 204 ? "" : await answer.text();
  for (const image of all("img", part.content)) image.loading = "eager";  // it stands in the answer already
  return [answer.ok, part.content];
}

async function ask() {
  press();
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking, chosen = settings(), place = document.getElementById("effects");
  place.setAttribute("aria-busy", "true");
  try {
    const [ok, parts] = await post("preview", { settings: chosen, turn }, signal);
    if (!ok) { put("problems", parts); return; }
    for (const part of all("[data-part]", parts)) if (!("keep" in part.dataset)) put(part.dataset.part, part);
    const problems = JSON.parse(parts.querySelector("[data-problems]").dataset.problems);
    say(problems);
    place.setAttribute("aria-busy", "false");
    if (parts.querySelector("[data-again]")) { waiting = setTimeout(ask, AGAIN_MS); return; }
    if (Object.keys(problems).length) return;
    remember(chosen);
    await askSteps(chosen, signal);
    await askAnew(chosen, signal);
    if (parts.querySelector("[data-counting]")) { await post("count", { settings: chosen }, signal); later(); }
  } catch (error) {
    if (error.name === "AbortError") return;
    document.getElementById("said").textContent = words.gone;
  }
}

function put(name, part) {
  for (const place of all(`[data-place=${name}]`)) {
    place.replaceChildren(...part.cloneNode(true).childNodes);
    place.classList.remove("old");
  }
}

// each step alone: the one that was changed first, then those without a picture
async function askSteps(chosen, signal) {
  const cards = all(".step.is-on").filter(card => card === changed || !card.querySelector(".thumb").childElementCount);
  cards.sort((one, other) => (other === changed) - (one === changed));
  for (const card of cards) {
    const block = card.dataset.step.split(".")[0], number = stepsOn(block).indexOf(card);
    const [ok, part] = await post("step", { settings: chosen, turn, block, number }, signal);
    if (ok) card.querySelector(".thumb").replaceChildren(part);
  }
  changed = null;
}

// how many would move, where what that depends on has changed
let anew = "";
async function askAnew(chosen, signal) {
  const split = JSON.stringify(Object.entries(chosen).filter(([key]) => key.startsWith("split.") && key !== "split.era"));
  if (split === anew) return;
  const [ok, part] = await post("anew", { settings: chosen }, signal);
  if (ok) { put("anew", part); anew = split; }
}

// what was chosen stands in the address: it survives a reload, and the way back
function remember(chosen) {
  const text = Object.keys(chosen).length ? `?settings=${encodeURIComponent(JSON.stringify(chosen))}` : location.pathname;
  if (text.length < LONGEST_ADDRESS) history.replaceState(null, "", text);
}

function fieldOf(key) {
  const direct = all("[data-key]").filter(one => key === one.dataset.key || key.startsWith(`${one.dataset.key}.`))[0];
  if (direct) return [direct, null];
  const found = /^(preprocess|augment)\.steps\[(\d+)\](?:\.[^.]+)?(?:\.(\w+))?/.exec(key);
  const card = found && stepsOn(found[1])[Number(found[2])];
  if (!card) return [null, null];
  return [all("[data-name]", card).find(one => one.dataset.name === found[3]) || null, card];
}

function say(problems) {
  for (const one of all(".problem:not(#name-said .problem)")) { one.hidden = true; one.textContent = ""; }
  for (const one of all("[aria-invalid]")) one.removeAttribute("aria-invalid");
  const rest = [];
  for (const [key, text] of Object.entries(problems)) {
    if (!key) continue;
    const [field, card] = fieldOf(key), place = (field || card)?.querySelector(".problem");
    if (!place) { rest.push(`${key}: ${text}`); continue; }
    place.textContent = text;
    place.hidden = false;
    field?.querySelector("select, textarea, input:not([type=range])")?.setAttribute("aria-invalid", "true");
    const fold = place.closest("details");
    if (fold) fold.open = true;
  }
  document.getElementById("said").textContent = rest.join(" ");
}

// --- steps

function press() {
  for (const one of all("[data-add]")) {
    const on = all(".step.is-on").some(card => card.dataset.step === one.dataset.add);
    one.setAttribute("aria-pressed", String(on));
  }
  const copies = document.getElementById("copies").value, isOn = stepsOn("augment").length > 0;
  for (const one of all("[data-copies]")) one.setAttribute("aria-pressed", String(isOn && one.dataset.copies === copies));
}

function turnTo(card, on) {
  card.classList.toggle("is-on", on);
  card.querySelector(".on").checked = on;
}

async function add(key) {
  const answer = await fetch(`${url}/card?step=${encodeURIComponent(key)}&number=${++numbers}`);
  if (!answer.ok) throw new Error(await answer.text());
  const part = document.createElement("template");
  part.innerHTML = await answer.text();
  const card = part.content.querySelector(".step");
  document.getElementById(`steps-${key.split(".")[0]}`).append(card);
  announce(words.added, card);
  return card;
}

function announce(text, card) {
  const around = all(".step", card.parentElement);
  document.getElementById("said").textContent = text.replace("{step}", titleOf(card))
    .replace("{number}", around.indexOf(card) + 1).replace("{count}", around.length);
}

async function common(key) {
  const cards = all(".step").filter(card => card.dataset.step === key), on = cards.some(card => card.classList.contains("is-on"));
  if (on) for (const card of cards) turnTo(card, false);
  else if (cards.length) turnTo(cards[0], true);
  later(on ? null : cards[0] || await add(key));
}

// copies without a step would all be like their original
async function copies(count) {
  document.getElementById("copies").value = count;
  if (!stepsOn("augment").length) {
    const listed = all("#steps-augment > .step");
    for (const card of listed) turnTo(card, true);
    if (!listed.length) await add("augment.flip");
  }
  later();
}

function move(card, by) {
  const to = by < 0 ? card.previousElementSibling : card.nextElementSibling;
  if (!to) return;
  if (by < 0) to.before(card); else to.after(card);
  announce(words.moved, card);
  later();
}

document.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (!button) return;
  const card = button.closest(".step");
  if (button.dataset.move) { move(card, Number(button.dataset.move)); button.focus(); }
  else if ("remove" in button.dataset) {
    announce(words.removed, card);
    const next = card.nextElementSibling || card.previousElementSibling;
    (next?.querySelector("[data-remove]") || card.closest(".block").querySelector("summary")).focus();
    card.remove();
    later();
  }
  else if (button.dataset.add) common(button.dataset.add);
  else if (button.dataset.addNew) add(button.dataset.addNew).then(made => { made.querySelector(".on").focus(); later(made); });
  else if (button.dataset.copies) copies(button.dataset.copies);
  else if (button.id === "as-uploaded") {
    for (const one of all(".step")) turnTo(one, false);
    document.getElementById("said").textContent = words.off;
    later();
  }
  else if (button.id === "others") { turn += 1; for (const one of all(".thumb")) one.replaceChildren(); later(); }
});

document.addEventListener("input", event => {
  const input = event.target;
  if (input.type === "range" && input.closest(".pair")) input.closest(".pair").querySelector("[type=number]").value = input.value;
  else if (input.type === "number" && input.closest(".pair")) {
    const slider = input.closest(".pair").querySelector("[type=range]");
    if (slider) slider.value = input.value;
  }
  if ("search" in input.dataset) search(input);
});

document.addEventListener("change", event => {
  const input = event.target, card = input.closest(".step");
  if (input.form === form || "search" in input.dataset) return;
  if (input.classList.contains("on")) turnTo(card, input.checked);
  later(card);
});

function search(input) {
  const wanted = input.value.trim().toLowerCase(), within = input.closest(".catalogue");
  for (const one of all("[data-words]", within)) one.hidden = !one.dataset.words.includes(wanted);
  for (const group of all(".of-group", within)) group.hidden = !all("[data-words]", group).some(one => !one.hidden);
  within.querySelector("[data-none]").hidden = all("[data-words]", within).some(one => !one.hidden);
}

// order by drag
let dragged = null;
document.addEventListener("dragstart", event => {
  dragged = event.target.closest?.(".grip") ? event.target.closest(".step") : null;
  if (!dragged) return;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setDragImage(dragged, 20, 20);
  dragged.classList.add("is-dragged");
});
document.addEventListener("dragover", event => {
  const over = dragged && event.target.closest?.(".step");
  if (!dragged) return;
  event.preventDefault();
  if (!over || over === dragged || over.parentElement !== dragged.parentElement) return;
  const box = over.getBoundingClientRect();
  if (event.clientY < box.top + box.height / 2) over.before(dragged); else over.after(dragged);
});
document.addEventListener("dragend", () => {
  if (!dragged) return;
  dragged.classList.remove("is-dragged");
  announce(words.moved, dragged);
  dragged = null;
  later();
});

form.addEventListener("submit", event => {
  const wrong = all(".problem:not([hidden])").find(one => one.textContent.trim());
  if (wrong) {
    event.preventDefault();
    const field = wrong.closest(".field, .step, .name") || wrong;
    (field.querySelector("select, textarea, input:not([type=range])") || field).focus();
    return;
  }
  form.elements.settings.value = JSON.stringify(settings());
});

startShares();
ask();
