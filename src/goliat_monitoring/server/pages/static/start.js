// The modules of a page once the page itself is there: fetched sooner, they would hold up its first picture. Fragments
// listen by then.
const { src, dataset } = document.currentScript;
addEventListener("DOMContentLoaded", () => {
  for (const name of dataset.modules.trim().split(" ")) {
    const script = document.createElement("script");
    Object.assign(script, { type: "module", async: false, src: new URL(name, src) });
    document.head.append(script);
  }
});
