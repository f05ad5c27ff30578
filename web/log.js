// The log around a moment: centred on it; filters by text, node and kind; a selected line.
import { $, $$, copy, onKeys, say } from "./common.js";

const centred = new WeakSet();
const showLogs = (root) => {
  for (const log of $$(".log", root)) {
    if (!log.clientHeight || centred.has(log)) continue;
    centred.add(log);
    const here = $(".here", log);
    if (here) log.scrollTop = here.offsetTop - log.offsetTop - log.clientHeight / 2;
  }
};
showLogs(document);
document.addEventListener("toggle", (event) => showLogs(event.target), true);

const kinds = {
  output: "out err", assertions: "ok bad sdk", commands: "cmd", faults: "fault ctr crash",
};
const kindOf = (line) => Object.keys(kinds).find((kind) =>
  kinds[kind].split(" ").some((name) => line.classList.contains(name))) || "engine";

const toggles = (label, names) => {
  const box = document.createElement("div");
  box.className = "toggles";
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", label);
  for (const name of names) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.dataset.toggle = name;
    button.setAttribute("aria-pressed", "true");
    box.append(button);
  }
  return box;
};
const off = (box, label) => new Set($$(`.toggles[aria-label="${label}"] [aria-pressed=false]`, box)
  .map((button) => button.dataset.toggle));

const applyFilters = (box) => {
  const input = $(".logfilter", box);
  let pattern = null;
  try {
    pattern = new RegExp(input.value, "i");
    input.removeAttribute("aria-invalid");
  } catch {
    input.setAttribute("aria-invalid", "true");
    return;
  }
  const nodes = off(box, "Nodes shown");
  const hidden = off(box, "Kinds of lines shown");
  let shown = 0;
  const lines = $$("li[data-t]", box);
  for (const line of lines) {
    line.hidden = nodes.has($(".node", line).textContent) || hidden.has(line.dataset.kind) ||
      !pattern.test(line.textContent);
    shown += !line.hidden;
  }
  const count = $(".logcount", box);
  count.textContent = shown === lines.length ? "" : `${shown} of ${lines.length} lines`;
};

for (const box of $$(".logbox")) {
  const lines = $$("li[data-t]", box);
  for (const line of lines) line.dataset.kind = kindOf(line);
  const nodes = [...new Set(lines.map((line) => $(".node", line).textContent))].sort();
  const seen = [...new Set(lines.map((line) => line.dataset.kind))].sort();
  const bar = $(".logbar", box);
  if (nodes.length > 1) bar.after(toggles("Nodes shown", nodes));
  if (seen.length > 1) bar.after(toggles("Kinds of lines shown", seen));
  $(".logfilter", box).addEventListener("input", () => applyFilters(box));
}

let picked = null;
export const pick = (line) => {
  if (!line) return;
  if (picked) picked.classList.remove("picked");
  picked = line;
  picked.classList.add("picked");
  picked.scrollIntoView({ block: "nearest" });
};
const currentLog = () => (picked ? picked.closest(".log")
  : $$(".log").find((log) => log.getBoundingClientRect().bottom > 60 && log.clientHeight));
const step = (by, only = "") => {
  const log = currentLog();
  if (!log) return;
  const lines = $$("li[data-t]", log).filter((line) => !line.hidden);
  const at = lines.indexOf(picked || $(".here", log));
  for (let i = at + by; i >= 0 && i < lines.length; i += by) {
    if (!only || lines[i].matches(only)) return pick(lines[i]);
  }
  if (only) say("no other assertion that way");
};
const momentOf = (line) => {
  const ns = BigInt(line.dataset.t);
  const rest = (ns % 1000000000n).toString().padStart(9, "0").replace(/0+$/, "");
  return `${line.closest(".log").dataset.hash}@${ns / 1000000000n}${rest && "." + rest}`;
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-toggle]");
  const line = event.target.closest(".log li[data-t]");
  if (button) {
    button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") === "false");
    applyFilters(button.closest(".logbox"));
  } else if (line) pick(line);
});

onKeys({
  "[": () => step(-1),
  "]": () => step(1),
  "a": () => step(1, ".ok, .bad, .sdk"),
  "A": () => step(-1, ".ok, .bad, .sdk"),
  "c": () => (picked ? copy(momentOf(picked)) : say("select a log line first")),
});
