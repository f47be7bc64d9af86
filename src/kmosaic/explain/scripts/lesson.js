// The lesson: each part takes what the page was made with, and lets the reader go through it.

import { byId, readData } from "../../report/scripts/dom.js";
import { hintOverflow } from "../../report/scripts/overflow.js";
import { startTheme } from "../../report/scripts/theme.js";
import { startFolds } from "./folds.js";
import { startChoosing } from "./part_choosing.js";
import { startEmpty } from "./part_empty.js";
import { startPictures } from "./part_pictures.js";
import { startSizes } from "./part_sizes.js";
import { startStarts } from "./part_starts.js";
import { TwoSteps } from "./part_steps.js";

const lesson = readData("page-data");

startTheme(byId("look"));
startFolds(byId("fold-all"), "details.question");
hintOverflow(".scroll, .film");
new TwoSteps(lesson.steps, lesson.unlike_spreads);
startStarts(lesson.starts);
startEmpty(lesson.empty);
startSizes(lesson.sizes);
startChoosing(lesson.scores, lesson.photo);
startPictures(lesson.pictures);
