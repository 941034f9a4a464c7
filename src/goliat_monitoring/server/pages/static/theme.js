// Runs before the page is painted, so that a chosen theme never flashes. Without a choice the system decides; page.js asks.
document.documentElement.classList.add("js");
try {
  document.documentElement.dataset.theme = localStorage.getItem("theme") ?? "";
} catch {
  // storage may be barred
}
