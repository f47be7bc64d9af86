// Charts: Observable Plot in the page's own colours, as wide as their place, with words for who cannot see them.

const CHART_HEIGHT = 300;
const NARROWEST = 260;

/** Ticks of an axis that counts from 1 to `last`: 1, and about ten more, each a whole number of its own. */
export function wholeNumbers(last) {
  return [1, ...d3.ticks(0, last, 10).filter((at) => Number.isInteger(at) && at > 1)];
}

/** Words about the mark that is nearest to the pointer; with `Plot.pointerX`, nearest across alone. */
export function tipOn(dots, channels, pointer = Plot.pointer) {
  return Plot.tip(dots, pointer({ fill: "var(--paper)", ...channels }));
}

/** Calls `use` with what the pressed mark of the chart in `host` shows. */
export function onMark(host, use) {
  host.addEventListener("click", () => {
    const mark = host.firstChild?.value;
    if (mark) {
      use(mark);
    }
  });
}

/**
 * Draws `options(width)`, what Plot.plot takes, into `host`, again whenever the host's width changes.
 * `label` is read aloud. Returns a function that draws anew, with other options and words if given.
 */
export function chart(host, options, label) {
  let current = options;
  let words = label;
  let width = 0;
  const draw = () => {
    const drawn = Plot.plot({
      width,
      height: CHART_HEIGHT,
      marginLeft: 58,
      marginBottom: 42,
      style: {
        background: "transparent",
        color: "inherit",
        fontFamily: "inherit",
        fontSize: "13px",
        overflow: "visible",
      },
      ...current(width),
    });
    // Plot labels groups that have no role, which says nothing to who cannot see them; the words below do.
    for (const group of drawn.querySelectorAll("g[aria-label]")) {
      group.dataset.mark = group.getAttribute("aria-label");
      group.removeAttribute("aria-label");
    }
    drawn.setAttribute("role", "img");
    drawn.setAttribute("aria-label", words);
    host.replaceChildren(drawn);
  };
  new ResizeObserver(() => {
    const room = Math.max(NARROWEST, Math.floor(host.clientWidth));
    if (room !== width) {
      width = room;
      draw();
    }
  }).observe(host);
  return (newOptions, newLabel) => {
    current = newOptions ?? current;
    words = newLabel ?? words;
    if (width > 0) {
      draw();
    }
  };
}
