// Runs before the page is painted, so that a chosen theme never flashes. Without a choice the system decides.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const read = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage may be barred; then the system decides
    }
  };
  const show = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  };
  show(read());
  addEventListener("storage", (event) => event.key === "theme" && show(event.newValue));
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const dark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    const name = () => button.setAttribute("aria-label", dark() ? "Use the light theme" : "Use the dark theme");
    name();
    button.hidden = false;
    button.addEventListener("click", () => {
      const theme = dark() ? "light" : "dark";
      show(theme);
      name();
      try {
        localStorage.setItem("theme", theme);
      } catch {
        // the choice then lasts for this page only
      }
    });
  });
})();
