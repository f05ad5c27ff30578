// Goes on with a search that the server answered in part, and adds up the counts.
import { $ } from "./common.js";

const plural = (n, one, many) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

const goOn = async (section) => {
  const total = { histories: 0, hits: 0, universes: 0 };
  const add = (part) => Object.keys(total).forEach((key) => { total[key] += Number(part.dataset[key]); });
  add(section);
  for (let pages = 0; pages < 500; pages += 1) {
    const more = $(".more", section);
    if (!more || total.histories >= 60) return;
    const answer = await fetch(more.querySelector("a").href + "&part=1");
    if (!answer.ok) return;
    const part = $(".results", new DOMParser().parseFromString(await answer.text(), "text/html"));
    add(part);
    $(".hits", section).append(...$(".hits", part).children);
    const next = $(".more", part);
    if (next) more.replaceWith(next);
    else more.remove();
    $(".counts", section).innerHTML = `<strong>${plural(total.histories, "history", "histories")}</strong> ` +
      `of ${total.universes.toLocaleString("en")} searched · ${plural(total.hits, "event", "events")}`;
  }
};

const section = $(".results");
if (section) goOn(section);
