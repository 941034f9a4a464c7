// A fresh token, made when it is asked for, goes into the command that is copied.
import { absolute } from "./times.js";

document.addEventListener("done", (event) => {
  const form = event.target.closest("[data-join-form]");
  if (!form) return;
  const { token, expiresAt } = event.detail;
  for (const code of form.parentElement.querySelectorAll("[data-join] code")) {
    code.dataset.text ??= code.textContent;
    code.textContent = code.dataset.text.replace("ONE_TIME_TOKEN", token);
  }
  form.querySelector("[data-join-said]").textContent =
    `The command holds a token for one machine, valid until ${absolute(new Date(expiresAt))}. It is shown this once.`;
});
