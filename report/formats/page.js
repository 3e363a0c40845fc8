"use strict";
// Tables that are sorted by a click on a heading, timelines that can be zoomed, and details that
// printing unfolds. Without this script the page shows all the same, in the order in which it was
// written.

// A value and its unit at the start of a cell: `5.656 ms (…)`, `1.3 GiB / 2 GiB`, `43.5 %`, `−2`.
const VALUE = /^(?:≈ |±)?([+−-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?:\s*(?:GPU-)?([nµμmkKMGTP]i?)?(?:s|B|FLOP|Hz|W)?(?![A-Za-z]))?(?![A-Za-z0-9])/;
const SCALE = {
  n: 1e-9, µ: 1e-6, μ: 1e-6, m: 1e-3, k: 1e3, K: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15,
  Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50,
};
const NUMBER = 0, TEXT = 1, NOTHING = 2; // in a column that has all of them, in this order

function sortKey(cell) {
  const text = cell.textContent.trim();
  if (text === "" || text.startsWith("–")) return { kind: NOTHING };
  const found = VALUE.exec(text);
  if (found === null) return { kind: TEXT, text };
  const number = Number(found[1].replace("−", "-"));
  return { kind: NUMBER, number: number * (SCALE[found[2]] ?? 1) };
}

function compare(a, b) {
  if (a.kind !== b.kind) return a.kind - b.kind;
  if (a.kind === NUMBER) return a.number - b.number;
  return a.kind === TEXT ? a.text.localeCompare(b.text, undefined, { numeric: true }) : 0;
}

function makeSortable(table) {
  const body = table.tBodies[0];
  const written = [...body.rows];
  const headings = [...table.tHead.rows[0].cells];
  if (written.length < 2) return;

  function sort(heading, column) {
    const order = { ascending: "descending", descending: "none" }[heading.getAttribute("aria-sort")] ?? "ascending";
    for (const other of headings) other.removeAttribute("aria-sort");
    let rows = written;
    if (order !== "none") {
      heading.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const keyed = written.map((row) => ({ row, key: sortKey(row.cells[column]) }));
      keyed.sort(({ key: a }, { key: b }) => {
        const isNothing = a.kind === NOTHING || b.kind === NOTHING; // last, whatever the order
        return isNothing ? compare(a, b) : sign * compare(a, b);
      });
      rows = keyed.map(({ row }) => row);
    }
    body.append(...rows);
  }

  headings.forEach((heading, column) => {
    const button = document.createElement("button"); // for the keyboard: Enter clicks it
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    heading.addEventListener("click", () => sort(heading, column));
  });
}

function makeZoomable(svg) {
  const [left, top, width, height] = svg.getAttribute("viewBox").split(/[\s,]+/).map(Number);
  const view = { x: left, y: top, zoom: 1 };
  const pointers = new Map(); // one drags, two pinch

  function show() {
    const room = 1 - 1 / view.zoom; // the view stays within the figure
    view.x = Math.min(Math.max(view.x, left), left + room * width);
    view.y = Math.min(Math.max(view.y, top), top + room * height);
    const box = [view.x, view.y, width / view.zoom, height / view.zoom];
    svg.setAttribute("viewBox", box.map((n) => Number(n.toFixed(3))).join(" "));
    svg.classList.toggle("zoomed", view.zoom > 1);
  }

  // Zoom such that what is at this share of the visible width and height stays where it is.
  function zoomBy(factor, acrossShare = 0.5, downShare = 0.5) {
    const before = view.zoom;
    view.zoom = Math.min(Math.max(before * factor, 1), 64);
    view.x += acrossShare * width * (1 / before - 1 / view.zoom);
    view.y += downShare * height * (1 / before - 1 / view.zoom);
    show();
  }

  function zoomAt(event, factor) {
    const box = svg.getBoundingClientRect();
    const across = (event.clientX - box.left) / box.width;
    zoomBy(factor, across, (event.clientY - box.top) / box.height);
  }

  function moveBy(acrossShare, downShare) {
    view.x += acrossShare * width / view.zoom;
    view.y += downShare * height / view.zoom;
    show();
  }

  function reset() {
    view.zoom = 1;
    show();
  }

  svg.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // a pinch on a touchpad comes as Ctrl + wheel
    event.preventDefault();
    zoomAt(event, Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) / 150));
  }, { passive: false });
  svg.addEventListener("dblclick", reset);
  svg.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, event);
    if (view.zoom > 1) svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (before === undefined) return;
    pointers.set(event.pointerId, event);
    const other = [...pointers.values()].find((p) => p.pointerId !== event.pointerId);
    if (other !== undefined) {
      const distance = (p) => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY);
      zoomAt(other, distance(event) / Math.max(distance(before), 1));
    } else {
      const box = svg.getBoundingClientRect();
      moveBy((before.clientX - event.clientX) / box.width, (before.clientY - event.clientY) / box.height);
    }
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
    svg.addEventListener(end, (event) => pointers.delete(event.pointerId));
  }

  const frame = svg.parentElement;
  frame.tabIndex = 0;
  frame.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
    if (step === undefined || view.zoom === 1) return; // what is not zoomed scrolls as usual
    event.preventDefault();
    moveBy(...step);
  });

  const bar = document.createElement("div");
  bar.className = "zoom";
  for (const [sign, name, act] of [
    ["+", "Zoom in", () => zoomBy(1.5)],
    ["−", "Zoom out", () => zoomBy(1 / 1.5)],
    ["Reset", "Reset the zoom", reset],
  ]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = sign;
    button.ariaLabel = button.title = name;
    button.addEventListener("click", act);
    bar.append(button);
  }
  const hint = document.createElement("span");
  hint.textContent = "Ctrl + wheel zooms too, dragging moves, a double click resets";
  bar.append(hint);
  frame.parentElement.append(bar);
}

document.querySelectorAll("table").forEach(makeSortable);
document.querySelectorAll("figure svg.zooms[viewBox]").forEach(makeZoomable);

// Paper cannot be unfolded.
const folded = new Set();
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details:not([open])")) {
    folded.add(details);
    details.open = true;
  }
});
addEventListener("afterprint", () => {
  for (const details of folded) details.open = false;
  folded.clear();
});
// A link into folded details opens them.
function reveal() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  const details = target && target.closest("details");
  if (details) details.open = true;
}
addEventListener("hashchange", reveal);
reveal();
