// The reader's own points, from a CSV file that the page reads itself: nothing leaves it.

import { counted } from "../../report/scripts/dom.js";

export const MAX_POINTS = 2000;
const MAX_BYTES = 1 << 20;
const LARGEST_COORDINATE = 1e12;
const MIN_DISTINCT = 2;

/** Reads the rows of a CSV `file`, each a list of texts; throws an Error that says what is wrong. */
export async function readRows(file) {
  if (file.size > MAX_BYTES) {
    throw new Error("This file is larger than 1 MB; choose a sample of its rows.");
  }
  const text = await file.text();
  const rows = d3
    .dsvFormat(separatorOf(text))
    .parseRows(text.replace(/^\ufeff/, "").trim())
    .filter((row) => row.some((cell) => cell.trim() !== ""));
  if (rows.length === 0 || rows[0].length < 2) {
    throw new Error(
      `There ${rows.length === 0 ? "is no row" : "is one column"}; give at least two columns, with commas, semicolons or tabs between.`,
    );
  }
  return rows;
}

/** The first two columns that hold a number in the last row: the ones to begin with. */
export function likelyColumns(rows) {
  const numbers = d3.range(rows[0].length).filter((i) => isCoordinate(toNumber(rows.at(-1)[i] ?? "")));
  return numbers.length < 2 ? [0, 1] : numbers.slice(0, 2);
}

/** Returns the names and the points of two columns, numbered `at`, with or without a row of names. */
export function parsePoints(rows, at) {
  const width = rows[0].length;
  const chosen = rows.map((row) => at.map((i) => row[i] ?? ""));
  const isNamed = chosen[0].map(toNumber).some(Number.isNaN);
  const columns = isNamed ? chosen.shift().map((name, i) => name.trim().slice(0, 60) || "xy"[i]) : ["x", "y"];
  const read = isNamed ? rows.slice(1) : rows;
  const ragged = read.findIndex((row) => row.length !== width);
  if (ragged >= 0) {
    throw new Error(
      `Row ${ragged + 1} is no point: it has ${counted(read[ragged].length, "column")}, and the first row ${width}.`,
    );
  }
  const points = chosen.map((row) => row.map(toNumber));
  const wrong = points.findIndex((point) => !isPoint(point));
  if (wrong >= 0) {
    throw new Error(
      `Row ${wrong + 1} is no point: ${chosen[wrong].join(", ").slice(0, 60)}. Give two numbers a row.`,
    );
  }
  if (points.length > MAX_POINTS) {
    throw new Error(`${points.length} points are too many here; give at most ${MAX_POINTS}.`);
  }
  if (new Set(points.map(String)).size < MIN_DISTINCT) {
    throw new Error("There are not even two different points; give a file with more.");
  }
  return { columns, points };
}

function separatorOf(text) {
  const first = text.slice(0, 4096).split("\n")[0];
  return [",", ";", "\t"].find((sign) => first.includes(sign)) ?? ",";
}

/** Number("") is 0, which an empty cell is not. */
function toNumber(cell) {
  return cell.trim() === "" ? Number.NaN : Number(cell);
}

function isPoint(point) {
  return point.every(isCoordinate);
}

function isCoordinate(value) {
  return Math.abs(value) <= LARGEST_COORDINATE;
}
