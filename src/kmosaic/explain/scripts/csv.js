// The reader's own points, from a CSV file that the page reads itself: nothing leaves it.

export const MOST_POINTS = 2000;
const MOST_BYTES = 1 << 20;
const LARGEST_COORDINATE = 1e12;
const LEAST_DIFFERENT = 2;

/** Reads `file`, two columns of numbers with or without a line of names; throws an Error that says what is wrong. */
export async function readPoints(file) {
  if (file.size > MOST_BYTES) {
    throw new Error("This file is larger than 1 MB; choose a sample of its rows.");
  }
  return parsePoints(await file.text());
}

/** Returns the columns' names and the points of a CSV text. */
export function parsePoints(text) {
  const rows = d3
    .dsvFormat(separatorOf(text))
    .parseRows(text.replace(/^\ufeff/, "").trim())
    .filter((row) => row.some((cell) => cell.trim() !== ""));
  const isNamed = rows.length > 0 && rows[0].length === 2 && rows[0].map(toNumber).some(Number.isNaN);
  const columns = isNamed ? rows.shift().map((name, i) => name.trim().slice(0, 60) || "xy"[i]) : ["x", "y"];
  const points = rows.map((row) => row.map(toNumber));
  const wrong = points.findIndex((point) => !isPoint(point));
  if (wrong >= 0) {
    throw new Error(
      `Row ${wrong + 1} is no point: ${rows[wrong].join(", ").slice(0, 60)}. Give two numbers a row.`,
    );
  }
  if (points.length > MOST_POINTS) {
    throw new Error(`${points.length} points are too many here; give at most ${MOST_POINTS}.`);
  }
  if (new Set(points.map(String)).size < LEAST_DIFFERENT) {
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
  return point.length === 2 && point.every((value) => Math.abs(value) <= LARGEST_COORDINATE);
}
