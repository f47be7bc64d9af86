// What is wider than its place is scrolled sideways: a shade at the edge, and words below, say that there is more.

import { make } from "./dom.js";

/** Puts every element that `selector` finds into a frame that says when part of it is out of sight. */
export function hintOverflow(selector) {
  for (const host of document.querySelectorAll(selector)) {
    const frame = make("div", { class: "overflow" });
    host.replaceWith(frame);
    frame.append(host, make("p", { class: "note more" }, "Scroll sideways for more."));
    const look = () => {
      const hidden = host.scrollWidth - host.clientWidth;
      frame.classList.toggle("wider", hidden > 1);
      frame.classList.toggle("more-left", host.scrollLeft > 1);
      frame.classList.toggle("more-right", hidden - host.scrollLeft > 1);
    };
    host.addEventListener("scroll", look, { passive: true });
    const resized = new ResizeObserver(look);
    const watch = () => {
      for (const child of [host, ...host.children]) {
        resized.observe(child);
      }
    };
    new MutationObserver(watch).observe(host, { childList: true });
    watch();
  }
}
