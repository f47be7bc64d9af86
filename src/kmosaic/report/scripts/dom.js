// Elements and data of a page. Text always becomes text: nothing here, or anywhere else, parses markup.

const SVG = "http://www.w3.org/2000/svg";

/** Makes an HTML element; children are elements or strings, and strings are shown as they stand. */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Makes an SVG element in the same way. */
export function makeSvg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else if (value !== undefined && value !== null && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children);
  return element;
}

export function byId(id) {
  return document.getElementById(id);
}

/** Reads the JSON that the page carries in the script element `id`. */
export function readData(id) {
  return JSON.parse(byId(id).textContent);
}

let nSelects = 0;

/** Makes a labelled choice; `choices` are [value, text] pairs, `onchange` gets the value. */
export function makeSelect(label, choices, value, onchange) {
  nSelects += 1;
  const id = `choice-${nSelects}`;
  const select = make(
    "select",
    { id, onchange: () => onchange(select.value) },
    ...choices.map(([key, text]) => make("option", { value: key, selected: key === value }, text)),
  );
  return { element: make("div", { class: "field" }, make("label", { for: id }, label), select), select };
}

/** Writes a number with about four figures, as a reader wants it. */
export function short(value) {
  if (value === 0) {
    return "0";
  }
  const size = Math.abs(value);
  if (size >= 1000) {
    return Math.round(value).toLocaleString("en");
  }
  return String(Number(value.toPrecision(size >= 100 ? 4 : 3)));
}

/** Returns "1 point" or "12 points". */
export function counted(n, noun) {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}
