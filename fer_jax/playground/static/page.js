// What the page does: its state, which stands in the address, and whom it asks when that changes.

import { askLatest, getJson, postJson } from "./ask.js";
import { drawCurve, drawLegend, drawNumbers } from "./curve.js";
import { paintFace, percent, showDenoised, showNetworks } from "./show.js";

const $ = (id) => document.getElementById(id);
const PHOTO = "photo:"; // begins a dropped face's key in sessionStorage
const SOURCES = {
  synthetic: "Synthetic faces: drawn by a program, not photographed",
  fer2013: "FER2013, PrivateTest: the middle face of each emotion",
};

let setup; // what there is to choose from, as /api/setup tells
let state; // {face, kind, strength, draw}: all of it stands in the address
let seen; // the last answers for the picture shown
let curves; // the last curves, {key, strengths, networks}

const askSee = askLatest("/api/see", $("results"));
const askCurve = askLatest("/api/curve", $("results"));

start();

async function start() {
  try {
    setup = await getJson("/api/setup");
  } catch (error) {
    return complain(error);
  }
  fillSamples();
  fillKinds();
  $("source").textContent =
    "Served by this machine to itself; nothing is sent anywhere. Pictures are rounded to 256 grey " +
    "levels, which is what the networks get.";
  listen();
  readAddress();
}

function listen() {
  $("samples").addEventListener("change", (event) => change({ face: event.target.value }));
  $("found").addEventListener("change", (event) => change({ face: event.target.value }));
  $("kind").addEventListener("change", (event) => {
    const kind = findKind(event.target.value);
    change({ kind: kind.name, strength: usualStrength(kind) });
  });
  $("strength").addEventListener("input", (event) => change({ strength: +event.target.value }));
  $("draw").addEventListener("click", () => change({ draw: (state.draw + 1) % 10000 }));
  $("clean").addEventListener("click", () => change({ strength: 0 }));
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  $("file").addEventListener("change", (event) => {
    readPhoto(event.target.files[0]);
    event.target.value = ""; // so that the same file can be chosen again
  });
  $("alert").querySelector("button").addEventListener("click", () => ($("alert").hidden = true));
  addEventListener("hashchange", readAddress);
  listenForDrops();
  new ResizeObserver(() => showCurve()).observe($("curve"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => showCurve());
}

function listenForDrops() {
  let depth = 0; // dragenter and dragleave come for every element that is crossed
  const mark = (by) => {
    depth = by ? depth + by : 0;
    document.body.classList.toggle("dropping", depth > 0);
  };
  addEventListener("dragenter", (event) => (event.preventDefault(), mark(1)));
  addEventListener("dragleave", () => mark(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    mark(0);
    const file = event.dataTransfer.files[0];
    if (file) readPhoto(file);
    else complain(new Error("that was no file; drop a photo from a folder"));
  });
}

// State and address

function readAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const kind = findKind(asked.get("kind")) ?? findKind("random_grey");
  const strength = parseFloat(asked.get("strength"));
  const draw = parseInt(asked.get("draw"), 10);
  const face = asked.get("face");
  if (face && !findFace(face)) {
    complain(
      new Error(
        face.startsWith(PHOTO)
          ? "that photo was dropped in another tab and is kept nowhere; drop it here again"
          : `there is no face ${face} here; another one is shown`,
      ),
    );
  }
  state = {
    face: findFace(face) ? face : (setup.samples[3] ?? setup.samples[0]).name,
    kind: kind.name,
    strength: Number.isFinite(strength) ? fit(strength, kind) : usualStrength(kind),
    draw: draw >= 0 && draw < 10000 ? draw : 0,
  };
  show();
}

function change(some) {
  state = { ...state, ...some };
  $("alert").hidden = true;
  history.replaceState(null, "", `#${new URLSearchParams(state)}`);
  show();
}

function fit(strength, kind) {
  const inside = Math.min(Math.max(strength, 0), kind.greatest);
  return kind.continuous ? inside : Math.round(inside);
}

// FER2013-C's third severity: it spoils a face and leaves it a face.
function usualStrength(kind) {
  return kind.continuous ? Math.round(kind.levels[2] / kind.step) * kind.step : 3;
}

function findKind(name) {
  return setup.kinds.find((kind) => kind.name === name);
}

// A face by its name: {face, label or null}. Dropped ones live as long as this tab.
function findFace(name) {
  const sample = setup.samples.find((one) => one.name === name);
  if (sample) return sample;
  const held = name?.startsWith(PHOTO) ? sessionStorage.getItem(name) : null;
  return held ? { ...JSON.parse(held), name, label: null } : undefined;
}

// Photos

async function readPhoto(file) {
  $("alert").hidden = true;
  $("drop").classList.add("busy");
  try {
    const { faces } = await postJson("/api/photo", file);
    const names = faces.map((one, i) =>
      faces.length > 1
        ? keep({ ...one, title: `${file.name}, face ${i + 1}`, caption: `face ${i + 1}` })
        : keep({ ...one, title: file.name, caption: file.name }),
    );
    change({ face: names[0] });
    $("found").querySelector("input:checked")?.focus();
  } catch (error) {
    complain(error, file.name);
  } finally {
    $("drop").classList.remove("busy");
  }
}

// Keep a face in this tab under a name made of its pixels, so that the address stays the same.
function keep(held) {
  let hash = 0;
  for (const letter of held.face) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0;
  const name = PHOTO + hash.toString(16).padStart(8, "0");
  try {
    sessionStorage.setItem(name, JSON.stringify(held));
  } catch {
    sessionStorage.clear(); // full after some thousand photos
    sessionStorage.setItem(name, JSON.stringify(held));
  }
  return name;
}

// What is shown

function show() {
  const face = findFace(state.face);
  const kind = findKind(state.kind);
  showControls(face, kind);
  paintFace($("face"), face.face, `The ${describeFace(face)}`);
  $("face-caption").textContent = describeFace(face);
  const asked = { face: face.face, kind: kind.name, draw: kind.random ? state.draw : 0 };
  const current = { ...asked, strength: state.strength };
  askSee(current, (answers) => {
    seen = answers;
    $("results").classList.add("answered");
    const text = `${titleOf(kind)} ${amount(kind, state.strength)}`;
    paintFace($("distorted"), seen.distorted, `The same face under ${text}`);
    $("distorted-caption").textContent = state.strength ? text : "clean";
    showDenoised($("pictures"), setup.networks, seen.networks);
    showNetworks($("networks"), setup, seen.networks, face);
    $("status").textContent = summarise(text, face);
  }, complain);
  const key = JSON.stringify(asked);
  if (curves?.key === key) {
    curves.label = face.label; // the same pixels may be known by another name
    return showCurve();
  }
  askCurve(asked, (answers) => {
    curves = { key, label: face.label, kind, ...answers };
    showCurve();
  }, complain);
}

function showControls(face, kind) {
  showFound();
  for (const input of document.querySelectorAll("input[name=face]")) {
    input.checked = input.value === state.face;
  }
  const slider = $("strength");
  Object.assign(slider, { max: kind.greatest, step: kind.step, value: state.strength });
  slider.setAttribute("aria-valuetext", `${titleOf(kind)} ${amount(kind, state.strength)}`);
  $("kind").value = kind.name;
  $("amount").textContent = amount(kind, state.strength);
  $("draw").disabled = !kind.random;
  $("clean").disabled = state.strength === 0;
  const marks = kind.continuous ? kind.levels : [1, 2, 3, 4, 5];
  $("severities").replaceChildren(...marks.map((mark) => new Option("", mark)));
  $("severity-note").textContent = kind.continuous
    ? `0 to ${kind.greatest}. FER2013-C's five severities: ${kind.levels.map(short).join(", ")}.`
    : "Severities 0 (clean) to 5 of FER2013-C.";
}

// The dropped faces of this tab, as a row of its own.
function showFound() {
  const names = Object.keys(sessionStorage).filter((name) => name.startsWith(PHOTO));
  const faces = names.map((name) => findFace(name));
  $("found").hidden = !faces.length;
  const shown = [...$("found").querySelectorAll("input")].map((input) => input.value);
  if (shown.join() === names.join()) return;
  $("found").replaceChildren(sampleRow("Your photos, cut to the face", faces));
}

function showCurve() {
  if (!curves) return;
  const labels = answersOf(curves);
  const right = curves.label === null ? null : setup.emotions[curves.label];
  $("curve-title").textContent = right
    ? `Probability of “${right}”, which is right, over strength`
    : "Probability of what each says of the clean face, over strength";
  $("curve-note").textContent = `${titleOf(curves.kind)}, from clean to ${amount(
    curves.kind, curves.strengths.at(-1),
  )}${curves.kind.random ? "; one draw of the noise for all strengths" : ""}.`;
  const shown = setup.networks.map((network, i) => ({
    ...network, label: labels[i],
    values: curves.networks[i].map((row) => row[network.classes.indexOf(labels[i])] ?? 0),
  }));
  drawLegend($("legend"), shown, right);
  const ticks = (strength) => (curves.kind.continuous ? short(strength) : `${strength}`);
  drawCurve($("curve"), curves.strengths, shown, { now: state.strength, ticks });
  drawNumbers($("numbers").querySelector("div"), curves.strengths, shown, ticks);
}

// The class that each network's curve is of: the right one, else its answer on the clean face.
function answersOf({ label, networks }) {
  return setup.networks.map((network, i) => {
    if (label !== null) return setup.emotions[label];
    const clean = networks[i][0];
    return network.classes[clean.indexOf(Math.max(...clean))];
  });
}

function summarise(text, face) {
  const said = setup.networks.map((network, i) => {
    const { probabilities } = seen.networks[i];
    const best = Math.max(...probabilities);
    return `${network.title} says ${network.classes[probabilities.indexOf(best)]}, ${percent(best)}`;
  });
  const right = face.label === null ? "" : ` It shows ${setup.emotions[face.label]}.`;
  return `${text}.${right} ${said.join("; ")}.`;
}

function fillSamples() {
  const rows = Object.entries(SOURCES).map(([source, title]) => {
    const faces = setup.samples.filter((sample) => sample.source === source);
    return faces.length ? sampleRow(title, faces) : "";
  });
  $("samples").replaceChildren(...rows);
}

function sampleRow(title, faces) {
  const row = document.createElement("div");
  row.className = "row";
  row.setAttribute("role", "radiogroup");
  row.setAttribute("aria-label", title);
  const heading = document.createElement("p");
  heading.className = "muted";
  heading.textContent = title;
  const list = document.createElement("div");
  list.className = "thumbs";
  for (const one of faces) {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), {
      type: "radio", name: "face", value: one.name, className: "visually-hidden",
    });
    const canvas = document.createElement("canvas");
    paintFace(canvas, one.face, describeFace(one));
    const caption = document.createElement("span");
    caption.textContent = one.label === null ? one.caption : setup.emotions[one.label];
    label.title = describeFace(one);
    label.append(input, canvas, caption);
    list.append(label);
  }
  row.append(heading, list);
  return row;
}

function fillKinds() {
  const groups = Map.groupBy(setup.kinds, (kind) => kind.group);
  for (const [group, kinds] of groups) {
    const element = document.createElement("optgroup");
    element.label = group[0].toUpperCase() + group.slice(1);
    element.append(...kinds.map((kind) => new Option(titleOf(kind), kind.name)));
    $("kind").append(element);
  }
}

// Words

function describeFace(face) {
  if (face.label === null) return face.note ? `${face.title}: ${face.note}` : face.title;
  const source = face.source === "synthetic" ? "synthetic face" : "FER2013 face";
  return `${source}, ${setup.emotions[face.label]}`;
}

function titleOf(kind) {
  const words = kind.name.replaceAll("_", " ").replace("jpeg", "JPEG");
  return words[0].toUpperCase() + words.slice(1);
}

function amount(kind, strength) {
  if (strength === 0) return "0, clean";
  if (kind.continuous) return withUnit(kind.unit, strength);
  return `severity ${strength} (${withUnit(kind.unit, kind.levels[strength - 1])})`;
}

function withUnit(unit, value) {
  const [name, length] = unit.split(", ");
  return `${name} = ${short(value)}${length ? ` ${length}` : ""}`;
}

function short(value) {
  return `${+value.toPrecision(3)}`;
}

function complain({ message }, file) {
  const text = file ? `${file}: ${message}` : message[0].toUpperCase() + message.slice(1);
  $("alert").querySelector("p").textContent = text;
  $("alert").hidden = false;
}
