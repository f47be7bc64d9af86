// Peers from npm for benchmarks/colours.py: reads a line of JSON a job from stdin, and writes a line when it is done.
// npm install image-q gifenc sharp; then NODE_PATH names that folder's node_modules.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const load = createRequire(`${process.env.NPM_PEERS}/`);

function byGifenc({ pixels, width, height, colours }) {
  const { applyPalette, quantize } = load("gifenc");
  const rgba = new Uint8Array(width * height * 4).fill(255);
  for (let i = 0; i < width * height; i += 1) {
    rgba.set(pixels.subarray(3 * i, 3 * i + 3), 4 * i);
  }
  const palette = quantize(rgba, colours);
  const index = applyPalette(rgba, palette);
  return Buffer.from([...index].flatMap((label) => palette[label].slice(0, 3)));
}

function byImageQ({ pixels, width, height, colours, dither }) {
  const iq = load("image-q");
  const rgba = new Uint8Array(width * height * 4).fill(255);
  for (let i = 0; i < width * height; i += 1) {
    rgba.set(pixels.subarray(3 * i, 3 * i + 3), 4 * i);
  }
  const container = iq.utils.PointContainer.fromUint8Array(rgba, width, height);
  const palette = iq.buildPaletteSync([container], { colors: colours, paletteQuantization: "wuquant" });
  const out = iq.applyPaletteSync(container, palette, {
    imageQuantization: dither ? "floyd-steinberg" : "nearest",
  });
  const found = out.toUint8Array();
  return Buffer.from(found.filter((_, i) => i % 4 < 3));
}

async function bySharp({ pixels, width, height, colours, dither }) {
  const sharp = load("sharp");
  const png = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .png({ palette: true, colours, dither: dither ? 1 : 0, effort: 10 })
    .toBuffer();
  return sharp(png).removeAlpha().toColourspace("srgb").raw().toBuffer();
}

const LIBRARIES = { gifenc: byGifenc, "image-q": byImageQ, sharp: bySharp };

for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line);
  const out = await LIBRARIES[job.library]({ ...job, pixels: readFileSync(job.input) });
  writeFileSync(job.output, out);
  process.stdout.write("done\n");
}
