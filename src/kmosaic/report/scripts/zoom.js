// Several pictures of the same ground, zoomed and moved together: by wheel, fingers, keys and buttons.

const MAX_SCALE = 32;
const STEP = 0.15; // of the window, that an arrow key moves
const MOVED = 4; // pixels; less is a press, not a drag

/**
 * `windows` each hold one canvas. `onpress` and `onmove` get a place in the picture, [across, down] from 0 to 1.
 */
export class Zoom {
  constructor(windows, { onpress, onmove }) {
    Object.assign(this, { windows, onpress, onmove });
    this.fingers = new Map();
    for (const host of windows) {
      this.#listen(host);
    }
    this.reset();
  }

  reset() {
    this.#move({ scale: 1, x: 0, y: 0 });
  }

  /** Zooms by a factor about a place in the window, by default its middle. */
  by(factor, [across, down] = [0.5, 0.5]) {
    const scale = Math.min(MAX_SCALE, Math.max(1, this.scale * factor));
    const grown = scale / this.scale;
    this.#move({ scale, x: across - (across - this.x) * grown, y: down - (down - this.y) * grown });
  }

  /** x and y are where the picture's corner lies, in widths and heights of the window. */
  #move({ scale, x, y }) {
    const within = (at) => Math.min(0, Math.max(1 - scale, at));
    Object.assign(this, { scale, x: within(x), y: within(y) });
    for (const host of this.windows) {
      const canvas = host.querySelector("canvas");
      canvas.style.transform = `translate(${100 * this.x}%, ${100 * this.y}%) scale(${scale})`;
      canvas.classList.toggle("enlarged", (host.clientWidth * scale) / canvas.width >= 1);
      host.style.touchAction = scale > 1 ? "none" : "pan-y";
    }
  }

  #listen(host) {
    host.addEventListener("wheel", (event) => this.#wheel(event, host), { passive: false });
    host.addEventListener("keydown", (event) => this.#key(event));
    host.addEventListener("pointerdown", (event) => this.#down(event, host));
    host.addEventListener("pointermove", (event) => this.#pointer(event, host));
    host.addEventListener("pointerup", (event) => this.#up(event, host));
    host.addEventListener("pointercancel", (event) => this.fingers.delete(event.pointerId));
    host.addEventListener("dblclick", (event) => this.by(2, place(event, host)));
  }

  // A plain wheel scrolls the page; a pinch on a touchpad comes as a wheel with Ctrl.
  #wheel(event, host) {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.by(2 ** (-event.deltaY / 200), place(event, host));
    }
  }

  #key(event) {
    const { scale, x, y } = this;
    const moves = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    if (event.key === "+" || event.key === "=") {
      this.by(2);
    } else if (event.key === "-") {
      this.by(0.5);
    } else if (event.key === "0") {
      this.reset();
    } else if (moves[event.key] && scale > 1) {
      this.#move({ scale, x: x + moves[event.key][0], y: y + moves[event.key][1] });
    } else {
      return;
    }
    event.preventDefault();
  }

  #down(event, host) {
    host.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, event);
    this.pressed = this.fingers.size === 1 ? event : null;
  }

  #pointer(event, host) {
    const before = this.fingers.get(event.pointerId);
    if (before === undefined) {
      this.onmove(this.#inPicture(event, host));
      return;
    }
    this.fingers.set(event.pointerId, event);
    const others = [...this.fingers.values()].filter(({ pointerId }) => pointerId !== event.pointerId);
    if (others.length === 1) {
      this.by(
        apart(event, others[0]) / Math.max(1, apart(before, others[0])),
        middle(event, others[0], host),
      );
    } else if (others.length === 0) {
      const { scale, x, y } = this;
      const box = host.getBoundingClientRect();
      this.#move({
        scale,
        x: x + (event.clientX - before.clientX) / box.width,
        y: y + (event.clientY - before.clientY) / box.height,
      });
    }
  }

  #up(event, host) {
    this.fingers.delete(event.pointerId);
    if (this.pressed && apart(event, this.pressed) < MOVED) {
      this.onmove(this.#inPicture(event, host));
      this.onpress(this.#inPicture(event, host));
    }
    this.pressed = null;
  }

  #inPicture(event, host) {
    const [across, down] = place(event, host);
    return [(across - this.x) / this.scale, (down - this.y) / this.scale];
  }
}

function place(event, host) {
  const box = host.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

function apart(one, other) {
  return Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
}

function middle(one, other, host) {
  const [across, down] = place(one, host);
  const [acrossToo, downToo] = place(other, host);
  return [(across + acrossToo) / 2, (down + downToo) / 2];
}
