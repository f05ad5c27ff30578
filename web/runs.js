// The Runs page: rows that move by themselves, two ticked runs to compare, keys.
import { $, $$, onKeys, say } from "./common.js";

const rows = () => $$("tr[data-run]");
const going = rows().filter((row) => "going" in row.dataset);
if (going.length) {
  const query = going.map((row) => "id=" + encodeURIComponent(row.dataset.run)).join("&");
  const stream = new EventSource("/runs/live?" + query);
  stream.addEventListener("row", (event) => {
    const { id, going: goes, cells } = JSON.parse(event.data);
    const row = rows().find((one) => one.dataset.run === id);
    if (!row || row.contains(document.activeElement)) return; // a button in use stays under it
    row.innerHTML = cells;
    if (!goes) delete row.dataset.going;
  });
  stream.addEventListener("end", () => stream.close());
}

const ticks = () => $$("input[name=run]");
const ticked = () => ticks().filter((box) => box.checked);
const limit = () => {
  const full = ticked().length >= 2;
  for (const box of ticks()) box.disabled = full && !box.checked;
  const button = $("#compare button");
  if (button) button.disabled = ticked().length !== 2;
};
document.addEventListener("change", (event) => {
  if (event.target.name === "run") limit();
});
limit();

let at = -1;
const step = (by) => {
  const all = rows();
  if (!all.length) return;
  at = Math.max(0, Math.min(all.length - 1, at + by));
  $("td.name a", all[at]).focus();
};
onKeys({
  "j": () => step(1),
  "k": () => step(-1),
  "x": () => {
    const box = at >= 0 && $("input[name=run]", rows()[at]);
    if (!box) return say("select a finished run with j and k first");
    if (box.disabled) return say("two runs are ticked already");
    box.checked = !box.checked;
    limit();
  },
});
