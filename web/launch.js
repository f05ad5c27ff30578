// The launch form: the curl line follows what is typed.
import { $, $$ } from "./common.js";

const form = $("form.launch");
const quote = (text) => "'" + text.replaceAll("'", "'\\''") + "'";
const update = () => {
  const params = {};
  for (const field of $$("input[name]", form)) {
    if (!field.name.includes(".") || (field.type === "checkbox" && !field.checked)) continue;
    if (field.value) params[field.name] = field.value;
  }
  for (const line of $("#more").value.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) params[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  const body = JSON.stringify({ params }, null, 1).replace(/\n */g, " ");
  const launcher = encodeURIComponent($("#launcher").value || "basic_test");
  const line = `curl --fail -u "$USER:$PASSWORD" -X POST ${form.dataset.api}/api/v1/launch/` +
    `${launcher} -d ${quote(body)}`;
  $(".curl code").textContent = line;
  $(".curl .copy").dataset.copy = line;
};
form.addEventListener("input", update);
update();
