// Sections of a page as tabs. Without this they stand one under the other and the links lead to them.
// The chosen one is kept in the address; what is hidden fetches nothing.
const nav = document.querySelector("nav.tabs");
const links = [...nav.querySelectorAll("a")];
const panels = links.map((link) => document.getElementById(link.hash.slice(1)));

function choose(hash, initial) {
  const place = links.findIndex((link) => link.hash === hash);
  // Another place in the page, such as a line of the log: the tab stays.
  if (place < 0 && hash && !initial) return;
  links.forEach((link, i) => {
    const chosen = i === Math.max(place, 0);
    if (chosen) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
    if (panels[i].hidden === !chosen) return;
    panels[i].hidden = !chosen;
    if (chosen && !initial) {
      for (const node of [panels[i], ...panels[i].querySelectorAll("[hx-get]")]) node.dispatchEvent(new CustomEvent("shown"));
    }
  });
}

nav.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  // No jump: the tab opens where its link is.
  event.preventDefault();
  if (location.hash !== link.hash) history.pushState(null, "", link.hash);
  choose(link.hash);
});
const follow = () => choose(location.hash);
addEventListener("popstate", follow);
addEventListener("hashchange", follow);
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.closest(".part[hidden]")) event.preventDefault();
});
// Nothing was painted yet, so nothing jumps.
choose(location.hash, true);
