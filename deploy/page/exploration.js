"use strict";
// The best point for a board and a rate, and a table that sorts. Without this script the page is whole, too.

const rows = JSON.parse(document.getElementById("rows").textContent);
const form = document.getElementById("chooser");
const answer = document.getElementById("answer");
const heads = [...document.querySelectorAll("#all thead th")];

function element(kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
}

// as `best` of deploy/explore/front.py: most accurate, then fewest LUTs, then fastest
function best(board, rate, lut) {
  const able = rows.filter((row) => row.board === board && row.fps >= rate && row.lut <= lut);
  return able.sort((a, b) => b.accuracy - a.accuracy || a.lut - b.lut || b.fps - a.fps)[0];
}

function choose() {
  const rate = Number(form.rate.value) || 0;
  const lut = form.lut.value === "" ? Infinity : Number(form.lut.value);
  const row = best(form.board.value, rate, lut);
  if (!row) {
    answer.replaceChildren(element("p", "No point of this exploration does that: lower the rate, or allow more LUTs."));
    return;
  }
  const list = document.createElement("dl");
  row.cells.slice(1).forEach((cell, k) => list.append(element("dt", heads[k + 1].textContent), element("dd", cell)));
  const copy = element("button", "copy");
  copy.type = "button";
  copy.addEventListener("click", () => navigator.clipboard.writeText(row.command));
  const aside = document.createElement("aside");
  aside.append(element("h3", row.network), list);
  answer.replaceChildren(aside, element("p", "Its bitstream:"), element("pre", row.command), copy);
}

function value(cell) {
  const number = parseFloat(cell.replaceAll(",", ""));
  return Number.isNaN(number) ? cell : number;
}

function sort(head, k) {
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of heads) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const body = document.querySelector("#all tbody");
  const sorted = [...body.rows].sort((a, b) => {
    const [x, y] = [a, b].map((row) => value(row.cells[k].textContent));
    return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
  });
  body.append(...sorted);
}

heads.forEach((head, k) => {
  head.setAttribute("tabindex", "0");
  head.addEventListener("click", () => sort(head, k));
  head.addEventListener("keydown", (event) => {
    if (event.key === "Enter") sort(head, k);
  });
});
const beaten = document.getElementById("beaten");
const shorten = () => document.getElementById("all").classList.toggle("short", !beaten.checked);
beaten.addEventListener("change", shorten);
shorten();
form.addEventListener("input", choose);
form.addEventListener("submit", (event) => event.preventDefault());
choose();
