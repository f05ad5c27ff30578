// The page of a run that goes on: its parts move by themselves.
import { $, say } from "./common.js";

const run = $("#run");
if (run && "going" in run.dataset) {
  const stream = new EventSource(`/runs/${encodeURIComponent(run.dataset.run)}/live`);
  stream.addEventListener("part", (event) => {
    const { part, html } = JSON.parse(event.data);
    const box = $("#part-" + part);
    if (box.contains(document.activeElement)) return; // what is in use stays under the hand
    const open = $("details", box)?.open;
    box.innerHTML = html;
    if (open !== undefined && $("details", box)) $("details", box).open = open;
  });
  stream.addEventListener("end", () => {
    stream.close();
    say("the run is over");
    delete run.dataset.going;
  });
}
