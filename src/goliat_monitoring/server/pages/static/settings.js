// Secrets that are shown once, dialogs of rows, files for the config library.
import { refresh, send } from "./actions.js";

document.addEventListener("done", (event) => {
  const name = event.target.dataset.secret;
  if (!name) return;
  // The dialog outlives the swap that follows only while it is open.
  const dialog = document.getElementById("secret");
  document.getElementById("secret-title").textContent = name;
  document.getElementById("secret-text").textContent = event.detail.token;
  dialog.addEventListener("close", () => (document.getElementById("secret-text").textContent = ""), { once: true });
  event.target.reset();
  dialog.showModal();
});

document.addEventListener("change", async (event) => {
  if (event.target.id !== "library-files") return;
  const input = event.target;
  const problem = input.closest("form").querySelector(".problem");
  problem.textContent = "";
  const troubles = [];
  for (const file of input.files) {
    try {
      await send("PUT", `/api/configs/${encodeURIComponent(file.name)}`, file);
    } catch (trouble) {
      troubles.push(`${file.name}: ${trouble.message}`);
    }
  }
  problem.textContent = troubles.length ? `Not stored: ${troubles.join("; ")}` : "";
  input.value = "";
  // What was refused stays to be read.
  if (!troubles.length) refresh();
});

// A dialog that the rows of a table share is filled by the button that opens it.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-fill]");
  if (!button) return;
  const dialog = document.getElementById(button.dataset.dialog);
  const name = button.dataset.name;
  dialog.querySelector(".problem").textContent = "";
  if (button.dataset.fillApi) dialog.querySelector("form").dataset.api = button.dataset.fillApi;
  const place = dialog.querySelector("[data-fill-name]");
  if (place.localName === "input") place.value = name;
  else place.textContent = name;
  const value = dialog.querySelector("[data-fill-value]");
  if (value) value.value = button.dataset.value;
});
