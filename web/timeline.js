// The timeline: zoom around the pointer or the middle, pan by dragging, a click selects the log line.
import { $, $$, onKeys, say } from "./common.js";
import { pick } from "./log.js";

const zoom = (svg, factor, clientX) => {
  const scroll = svg.parentElement;
  const offset = clientX === undefined ? scroll.clientWidth / 2
    : clientX - scroll.getBoundingClientRect().left;
  const point = (scroll.scrollLeft + offset) / scroll.scrollWidth;
  const now = parseFloat(svg.getAttribute("width"));
  const wanted = factor ? Math.max(100, Math.min(6400, now * factor)) : 100;
  svg.setAttribute("width", wanted + "%");
  scroll.scrollLeft = point * scroll.scrollWidth - offset;
};

const pickAt = (svg, clientX) => {
  const box = svg.getBoundingClientRect();
  const from = Number(svg.dataset.from);
  const at = from + (clientX - box.left) / box.width * (Number(svg.dataset.to) - from);
  const lines = $$("li[data-t]", svg.closest("[data-scene]")).filter((line) => !line.hidden);
  const gap = (line) => Math.abs(Number(line.dataset.t) - at);
  const nearest = lines.reduce((a, b) => (a && gap(a) <= gap(b) ? a : b), null);
  if (nearest && gap(nearest) < 2e9) pick(nearest);
  else say("the log around the moment does not reach there; replay shows it");
};

for (const svg of $$(".tl-scroll svg")) {
  const scroll = svg.parentElement;
  let drag = null;
  svg.addEventListener("pointerdown", (event) => {
    drag = { x: event.clientX, left: scroll.scrollLeft, moved: false };
  });
  svg.addEventListener("pointermove", (event) => {
    if (!drag || !event.buttons) return;
    if (Math.abs(event.clientX - drag.x) > 4) drag.moved = true;
    if (drag.moved) scroll.scrollLeft = drag.left + drag.x - event.clientX;
  });
  svg.addEventListener("click", (event) => {
    if (!drag || !drag.moved) pickAt(svg, event.clientX);
    drag = null;
  });
  scroll.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return; // an ordinary wheel scrolls the page
    event.preventDefault();
    zoom(svg, event.deltaY < 0 ? 1.25 : 0.8, event.clientX);
  }, { passive: false });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-zoom]");
  if (button) zoom($(".tl-scroll svg", button.closest("figure")), Number(button.dataset.zoom));
});

const onVisible = (action) => () => {
  const svg = $$(".tl-scroll svg").find((one) => {
    const box = one.getBoundingClientRect();
    return box.height && box.bottom > 0 && box.top < innerHeight;
  });
  if (svg) action(svg);
};
const pan = (by) => onVisible((svg) => {
  svg.parentElement.scrollLeft += by * svg.parentElement.clientWidth / 4;
});
onKeys({
  "+": onVisible((svg) => zoom(svg, 2)),
  "-": onVisible((svg) => zoom(svg, 0.5)),
  "0": onVisible((svg) => zoom(svg, 0)),
  "ArrowLeft": pan(-1),
  "ArrowRight": pan(1),
});
