// Adds to a page that reads well without it: search, log filter, copying, keys, timeline zoom.
"use strict";
(() => {
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const $ = (selector, root = document) => root.querySelector(selector);
  document.documentElement.classList.add("has-js");

  const toast = $(".toast");
  let toastTimer = 0;
  const say = (text) => {
    toast.textContent = text;
    toast.hidden = false;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => { toast.hidden = true; }, 1800);
  };

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // A page opened from a file may lack the clipboard interface.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    say("copied: " + text);
  };

  // ---- properties ----
  const props = $$(".prop");
  const search = $(".search");
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const prop of props) {
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

  // ---- log ----
  const centre = (log) => {
    const here = $(".here", log);
    if (here) log.scrollTop = here.offsetTop - log.offsetTop - log.clientHeight / 2;
  };
  const centred = new WeakSet();
  const showLogs = (root) => {
    for (const log of $$(".log", root)) {
      if (log.clientHeight && !centred.has(log)) {
        centre(log);
        centred.add(log);
      }
    }
  };
  showLogs(document);
  document.addEventListener("toggle", (event) => showLogs(event.target), true);

  for (const input of $$(".logfilter")) {
    input.addEventListener("input", () => {
      let pattern = null;
      try {
        pattern = new RegExp(input.value, "i");
        input.removeAttribute("aria-invalid");
      } catch {
        input.setAttribute("aria-invalid", "true");
        return;
      }
      for (const line of $$("li[data-t]", input.closest(".logbox"))) {
        line.hidden = !pattern.test(line.textContent);
      }
    });
  }

  let picked = null;
  const pick = (line) => {
    if (!line) return;
    if (picked) picked.classList.remove("picked");
    picked = line;
    picked.classList.add("picked");
    picked.scrollIntoView({ block: "nearest" });
  };
  const step = (by) => {
    const log = picked ? picked.closest(".log")
      : $$(".log").find((l) => l.getBoundingClientRect().bottom > 60 && l.clientHeight);
    if (!log) return;
    const lines = $$("li[data-t]", log).filter((line) => !line.hidden);
    const from = lines.indexOf(picked || $(".here", log));
    pick(lines[Math.max(0, Math.min(lines.length - 1, from + by))]);
  };
  const momentOf = (line) => {
    const ns = BigInt(line.dataset.t);
    const rest = (ns % 1000000000n).toString().padStart(9, "0").replace(/0+$/, "");
    return `${line.closest(".log").dataset.hash}@${ns / 1000000000n}${rest && "." + rest}`;
  };

  // ---- timeline ----
  const zoom = (svg, factor) => {
    const scroll = svg.parentElement;
    const middle = (scroll.scrollLeft + scroll.clientWidth / 2) / scroll.scrollWidth;
    const now = parseFloat(svg.getAttribute("width"));
    svg.setAttribute("width", Math.max(100, Math.min(6400, now * factor)) + "%");
    scroll.scrollLeft = middle * scroll.scrollWidth - scroll.clientWidth / 2;
  };
  for (const svg of $$(".tl-scroll svg")) {
    svg.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect();
      const from = Number(svg.dataset.from);
      const at = from + (event.clientX - box.left) / box.width * (Number(svg.dataset.to) - from);
      const lines = $$("li[data-t]", svg.closest("details"));
      const gap = (line) => Math.abs(Number(line.dataset.t) - at);
      const nearest = lines.reduce((a, b) => (a && gap(a) <= gap(b) ? a : b), null);
      if (nearest && gap(nearest) < 2e9) pick(nearest);
      else say("the log around the moment does not reach there; replay shows it");
    });
  }

  // ---- clicks and keys ----
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const line = event.target.closest(".log li[data-t]");
    if (button && button.dataset.copy) copy(button.dataset.copy);
    else if (button && button.dataset.zoom)
      zoom($("svg", button.closest("figure").querySelector(".tl-scroll")),
           Number(button.dataset.zoom));
    else if (button && button.classList.contains("help-open")) $("dialog").showModal();
    else if (line) pick(line);
  });

  let failure = -1;
  const nextFailure = (by) => {
    const failed = $$(".prop.failed").filter((prop) => !prop.hidden);
    if (!failed.length) return say("no failures");
    failure = (failure + by + failed.length + (failure < 0 && by < 0 ? 1 : 0)) % failed.length;
    failed[failure].open = true;
    failed[failure].scrollIntoView();
    $("summary", failed[failure]).focus({ preventScroll: true });
  };
  const visibleTimeline = () => $$(".tl-scroll svg").find((svg) => {
    const box = svg.getBoundingClientRect();
    return box.height && box.bottom > 0 && box.top < innerHeight;
  });
  const keys = {
    "/": () => search.focus(),
    "j": () => nextFailure(1),
    "k": () => nextFailure(-1),
    "[": () => step(-1),
    "]": () => step(1),
    "c": () => (picked ? copy(momentOf(picked)) : say("select a log line first")),
    "?": () => $("dialog").showModal(),
    "+": () => { const svg = visibleTimeline(); if (svg) zoom(svg, 2); },
    "-": () => { const svg = visibleTimeline(); if (svg) zoom(svg, 0.5); },
  };
  addEventListener("keydown", (event) => {
    if (event.target.matches("input[type=search]")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
})();
