// The pixels that a page carries: their classes, and their values where they fit.

/** Reads planes of bytes as the page holds them: differences along lines, in zlib's format, in base64. */
async function unpacked(text, width, height) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const plane = new Uint8Array(await new Response(stream).arrayBuffer());
  for (let line = 0; line < height; line += 1) {
    for (let i = line * width + 1; i < (line + 1) * width; i += 1) {
      plane[i] += plane[i - 1];
    }
  }
  return plane;
}

export class ScenePixels {
  /** Reads all that the page's data has of pixels. */
  static async read(data) {
    const read = (text) => unpacked(text, data.width, data.height);
    const labels = await read(data.labels);
    const values = await Promise.all(
      (data.pixel_values ?? []).map(async ({ low, step, planes }) => ({
        low,
        step,
        planes: await Promise.all(planes.map(read)),
      })),
    );
    return new ScenePixels(data, labels, values);
  }

  constructor(data, labels, values) {
    Object.assign(this, { data, labels, values });
  }

  /** The place of a pixel's class among the classes, or -1 where the pixel is missing. */
  classAt(column, line) {
    return this.labels[line * this.data.width + column] - 1;
  }

  /** The pixel's value in each band that the page has values of. */
  valuesAt(column, line) {
    const i = line * this.data.width + column;
    return this.values.map(
      ({ low, step, planes }) => low + step * (planes[0][i] + 256 * (planes[1]?.[i] ?? 0)),
    );
  }

  /** Where the pixel lies in the scene: its column and line from 1, and its centre in the scene's CRS. */
  placeOf(column, line) {
    const { first, step, transform } = this.data;
    const [a, b, c, d, e, f] = transform;
    const [i, j] = [first + column * step, first + line * step];
    return {
      column: i + 1,
      line: j + 1,
      x: a * (i + 0.5) + b * (j + 0.5) + c,
      y: d * (i + 0.5) + e * (j + 0.5) + f,
    };
  }
}
