// The curves over strength: a line a network, a legend with markers, and the same as a table.

import { colour, element, percent } from "./show.js";

const MARGIN = { left: 44, right: 14, top: 10, bottom: 30 };
const HEIGHT = 260;
// Outlines around 0, 0 for the markers that the report's figures have.
const MARKERS = {
  o: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z", s: "M-3.5-3.5h7v7h-7z", D: "M0-5L5 0L0 5L-5 0z",
  "^": "M0-4.6L4.6 3.6H-4.6z", v: "M0 4.6L4.6-3.6H-4.6z", "<": "M-4.6 0L3.6-4.6V4.6z",
  X: "M-4-2L-2-4L0-2L2-4L4-2L2 0L4 2L2 4L0 2L-2 4L-4 2L-2 0z",
  P: "M-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z", p: "M0-4.8L4.6-1.4L2.8 4H-2.8L-4.6-1.4z",
  h: "M0-4.8L4.2-2.4V2.4L0 4.8L-4.2 2.4V-2.4z",
  "*": "M0-5.2L1.5-1.6L5-1.6L2.2.8L3.2 4.4L0 2.3L-3.2 4.4L-2.2.8L-5-1.6L-1.5-1.6z",
};

// Draw probabilities 0 to 1 over strengths; `now` is where the slider stands.
export function drawCurve(place, strengths, networks, { now, ticks }) {
  const width = Math.max(place.clientWidth, 240);
  const x = (strength) =>
    MARGIN.left + (strength / strengths.at(-1)) * (width - MARGIN.left - MARGIN.right);
  const y = (probability) =>
    MARGIN.top + (1 - probability) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const svg = make("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img" });
  svg.setAttribute("aria-label", describe(strengths, networks, ticks));
  for (const level of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(
      make("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(level), y2: y(level) }),
      make("text", { x: MARGIN.left - 7, y: y(level) + 4, "text-anchor": "end" }, `${100 * level} %`),
    );
  }
  const every = strengths.length > 6 ? 4 : 1;
  strengths.forEach((strength, i) => {
    if (i % every) return;
    svg.append(make("text", { x: x(strength), y: HEIGHT - 9, "text-anchor": "middle" }, ticks(strength)));
  });
  svg.append(make("line", { class: "now", x1: x(now), x2: x(now), y1: y(1), y2: y(0) }));
  for (const network of networks) {
    const group = make("g", { class: "network" });
    colour(group, network);
    const points = strengths.map((strength, i) => [x(strength), y(network.values[i])]);
    group.append(make("polyline", { points: points.map((point) => point.join()).join(" ") }));
    points.forEach(([px, py], i) => {
      if (i % (every / 2 || 1)) return;
      group.append(marker(network.marker, px, py));
    });
    svg.append(group);
  }
  place.replaceChildren(svg);
}

// Name the networks beside their markers, and the class where each has one of its own.
export function drawLegend(place, networks, right) {
  place.replaceChildren(
    ...networks.map((network) => {
      const item = element("li");
      const svg = make("svg", { viewBox: "-10 -7 20 14", width: 20, height: 14, class: "network" });
      svg.setAttribute("aria-hidden", "true");
      colour(svg, network);
      svg.append(make("polyline", { points: "-10,0 10,0" }), marker(network.marker, 0, 0));
      item.append(svg, right ? network.title : `${network.title}: ${network.label}`);
      return item;
    }),
  );
}

export function drawNumbers(place, strengths, networks, ticks) {
  const table = element("table");
  const head = table.createTHead().insertRow();
  head.append(...["strength", ...networks.map((network) => network.title)].map((text) => {
    const cell = element("th", "", text);
    cell.scope = "col";
    return cell;
  }));
  const body = table.createTBody();
  strengths.forEach((strength, i) => {
    const row = body.insertRow();
    const cell = element("th", "", ticks(strength));
    cell.scope = "row";
    row.append(cell, ...networks.map((network) => element("td", "", percent(network.values[i]))));
  });
  place.replaceChildren(table);
}

function describe(strengths, networks, ticks) {
  const told = networks.map((network) => {
    const [first, last] = [network.values[0], network.values.at(-1)].map(percent);
    return `${network.title} goes from ${first} to ${last}`;
  });
  return `Curves from strength 0 to ${ticks(strengths.at(-1))}: ${told.join("; ")}.`;
}

function marker(name, x, y) {
  return make("path", { d: MARKERS[name] ?? MARKERS.o, transform: `translate(${x} ${y})` });
}

function make(name, attributes, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  return node;
}
