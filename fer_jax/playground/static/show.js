// Faces on canvases, distorted and denoised, and a card of bars for each network.

export function percent(probability) {
  const value = 100 * probability;
  return `${value > 0 && value < 1 ? "<1" : Math.round(value)} %`;
}

// Paint a face, the base64 of grey bytes row by row, one canvas pixel each.
export function paintFace(canvas, face, description) {
  const bytes = Uint8Array.from(atob(face), (letter) => letter.charCodeAt(0));
  const size = Math.sqrt(bytes.length);
  Object.assign(canvas, { width: size, height: size });
  const image = new ImageData(size, size);
  bytes.forEach((grey, i) => image.data.set([grey, grey, grey, 255], 4 * i));
  canvas.getContext("2d").putImageData(image, 0, 0);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", description);
}

// Show every network's answer; cards are made once, so that their bars move.
export function showNetworks(place, setup, answers, face) {
  if (place.children.length !== answers.length) {
    place.replaceChildren(...setup.networks.map((network) => makeCard(network)));
  }
  answers.forEach((answer, i) => {
    fillCard(place.children[i], setup.networks[i], answer, setup.emotions[face.label]);
  });
}

// Show what each DAE makes of the distorted face, as further figures of `place`.
export function showDenoised(place, networks, answers) {
  const known = [...place.querySelectorAll(".denoised")];
  networks.forEach((network, i) => {
    if (!network.denoises) return;
    const figure = known.shift() ?? makeFigure(place, network);
    const text = `What the DAE of ${network.title} makes of the distorted face`;
    paintFace(figure.querySelector("canvas"), answers[i].denoised, text);
  });
}

function makeFigure(place, network) {
  const figure = element("figure", "denoised");
  colour(figure, network);
  figure.append(element("canvas"), element("figcaption", "", `denoised by ${network.title}`));
  place.append(figure);
  return figure;
}

export function colour(node, network) {
  node.style.setProperty("--light", network.light);
  node.style.setProperty("--dark", network.dark);
}

function makeCard(network) {
  const card = element("section", "card");
  colour(card, network);
  card.setAttribute("aria-label", network.title);
  card.append(
    element("h3", "", network.title), element("p", "about muted", network.about),
    element("p", "answer"),
  );
  const table = element("table", "bars");
  for (const name of network.classes) {
    const row = table.insertRow();
    const head = element("th", "", name);
    head.scope = "row";
    const bar = element("td", "bar");
    bar.append(element("span"));
    row.append(head, bar, element("td", "number"));
  }
  card.append(table);
  return card;
}

function fillCard(card, network, { probabilities }, right) {
  const best = Math.max(...probabilities);
  const answer = network.classes[probabilities.indexOf(best)];
  const verdict = right === undefined ? "" : answer === right ? " ✓" : " ✗";
  const line = card.querySelector(".answer");
  line.replaceChildren(element("strong", "", answer), ` ${percent(best)}`);
  if (verdict) {
    const mark = element("span", answer === right ? "right" : "wrong", verdict);
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", answer === right ? "right" : `wrong: it shows ${right}`);
    line.append(mark);
  }
  [...card.querySelectorAll("tr")].forEach((row, i) => {
    row.classList.toggle("best", network.classes[i] === answer);
    row.classList.toggle("is-right", network.classes[i] === right);
    row.querySelector("span").style.width = `${100 * probabilities[i]}%`;
    row.querySelector(".number").textContent = percent(probabilities[i]);
  });
}

export function element(name, className = "", text = "") {
  return Object.assign(document.createElement(name), { className, textContent: text });
}
