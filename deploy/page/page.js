"use strict";
// Operators that can be clicked, and a graph that can be zoomed and moved. Without this script the page is whole, too.

const rows = new Map(JSON.parse(document.getElementById("operators").textContent).map((row) => [row.node, row]));
const graph = document.getElementById("graph");
const drawing = graph.querySelector("svg");
const details = document.getElementById("details");
const whole = drawing.viewBox.baseVal;
const full = { x: whole.x, y: whole.y, width: whole.width, height: whole.height };
const view = { ...full };

function element(kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
}

function choose(node) {
  const row = rows.get(node);
  if (!row) return;
  const list = document.createElement("dl");
  const say = (name, value) => {
    if (value !== null && value !== "" && value !== 0) list.append(element("dt", name), element("dd", value));
  };
  say("module", row.module);
  say("does", row.does);
  for (const [key, value] of Object.entries(row.folding)) say(key, value);
  say("MAC a cycle", row.macs.toLocaleString("en"));
  say("cycles an image", row.cycles.toLocaleString("en") + (row.slowest ? ", the slowest" : ""));
  say("busy", Math.round(100 * row.busy) + " %");
  say("output", row.out_bits.join(" and ") + " bits a word");
  say("LUT", row.lut?.toLocaleString("en") ?? "");
  say("flip-flops", row.ff?.toLocaleString("en") ?? "");
  say("BRAM36", row.bram ?? "");
  say("DSP", row.dsp ?? "");
  const parameters = document.createElement("details");
  const table = document.createElement("dl");
  for (const [key, value] of Object.entries(row.parameters)) table.append(element("dt", key), element("dd", value));
  parameters.append(element("summary", "parameters of the module"), table);
  details.replaceChildren(element("h3", node), list, parameters);
  for (const figure of document.querySelectorAll(".sign")) figure.hidden = figure.dataset.node !== node;
  for (const box of graph.querySelectorAll(".chosen")) box.classList.remove("chosen");
  document.getElementById("op:" + node)?.classList.add("chosen");
}

for (const box of graph.querySelectorAll('[id^="op:"]')) {
  const node = box.id.slice(3);
  if (!rows.has(node)) continue;
  box.setAttribute("tabindex", "0");
  box.setAttribute("role", "button");
  box.setAttribute("aria-label", node);
  box.addEventListener("click", () => choose(node));
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose(node);
  });
}

function show() {
  drawing.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
}

function zoom(factor, x = view.x + view.width / 2, y = view.y + view.height / 2) {
  if (factor === 0) Object.assign(view, full);
  const scale = factor === 0 ? 1 : Math.min(1, Math.max(0.02, view.width / factor / full.width)) / (view.width / full.width);
  view.x = x - (x - view.x) * scale;
  view.y = y - (y - view.y) * scale;
  view.width *= scale;
  view.height *= scale;
  move(0, 0);
}

function move(dx, dy) {
  view.x = Math.min(full.x + full.width - view.width, Math.max(full.x, view.x + dx));
  view.y = Math.min(full.y + full.height - view.height, Math.max(full.y, view.y + dy));
  show();
}

const unit = () => view.width / drawing.clientWidth;

graph.addEventListener("wheel", (event) => {
  if (!event.ctrlKey) return;
  event.preventDefault();
  const place = drawing.getBoundingClientRect();
  zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, view.x + (event.clientX - place.left) * unit(),
    view.y + (event.clientY - place.top) * unit());
}, { passive: false });

let dragged = null;
graph.addEventListener("pointerdown", (event) => { dragged = [event.clientX, event.clientY]; });
addEventListener("pointerup", () => { dragged = null; });
addEventListener("pointermove", (event) => {
  if (!dragged) return;
  move((dragged[0] - event.clientX) * unit(), (dragged[1] - event.clientY) * unit());
  dragged = [event.clientX, event.clientY];
});

graph.addEventListener("keydown", (event) => {
  const step = view.width / 10;
  const does = {
    "+": () => zoom(1.3), "-": () => zoom(1 / 1.3), 0: () => zoom(0), ArrowLeft: () => move(-step, 0),
    ArrowRight: () => move(step, 0), ArrowUp: () => move(0, -step), ArrowDown: () => move(0, step),
  }[event.key];
  if (!does) return;
  event.preventDefault();
  does();
});
for (const button of document.querySelectorAll("[data-zoom]"))
  button.addEventListener("click", () => zoom(Number(button.dataset.zoom)));

choose([...rows.values()].find((row) => row.slowest && !row.plumbing)?.node);
