// What every script starts from: choosing elements, a notice, copying, keys.
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
export const $ = (selector, root = document) => root.querySelector(selector);
document.documentElement.classList.add("has-js");

let toastTimer = 0;
export const say = (text) => {
  const toast = $(".toast");
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { toast.hidden = true; }, 1800);
};

export const copy = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // A page opened from a file, or served without TLS, may lack the clipboard interface.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say("copied: " + text);
};

const keys = {
  "/": () => $$("input[type=search]").find((input) => input.checkVisibility())?.focus(),
  "?": () => $("dialog.help").showModal(),
};
export const onKeys = (more) => Object.assign(keys, more);
addEventListener("keydown", (event) => {
  if (event.target.matches("input, textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    const ticks = event.target.matches("[type=radio], [type=checkbox]");
    if (!ticks || event.key.startsWith("Arrow")) return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
  event.preventDefault();
  keys[event.key](event);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.copy) copy(button.dataset.copy);
  else if (button?.classList.contains("help-open")) $("dialog.help").showModal();
});
