// Adds to a report that reads well without it: search, links that open what they lead to, j and k.
import { $, $$, onKeys, say } from "./common.js";

const search = $(".props .search");
search?.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const prop of $$(".prop")) {
    const text = $("summary", prop).textContent.toLowerCase();
    prop.hidden = !words.every((word) => text.includes(word));
  }
  for (const group of $$(".group")) {
    group.hidden = $$(".prop", group).every((prop) => prop.hidden);
  }
});

const openTarget = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  for (let el = target; el; el = el.parentElement) {
    if (el.tagName === "DETAILS") el.open = true;
  }
  if (target) target.scrollIntoView({ block: "nearest" });
};
addEventListener("hashchange", openTarget);
openTarget();

let failure = -1;
const nextFailure = (by) => {
  const link = $(`.pager a[rel=${by > 0 ? "next" : "prev"}]`);
  if ($("[data-scene]") && !$(".prop")) { // the page of one failure
    if (link) location.assign(link.href);
    else say("no other failure that way");
    return;
  }
  const failed = $$(".prop.failed").filter((prop) => !prop.hidden);
  if (!failed.length) return say("no failures");
  failure = (failure + by + failed.length + (failure < 0 && by < 0 ? 1 : 0)) % failed.length;
  failed[failure].open = true;
  failed[failure].scrollIntoView();
  $("summary", failed[failure]).focus({ preventScroll: true });
};
onKeys({ "j": () => nextFailure(1), "k": () => nextFailure(-1) });
