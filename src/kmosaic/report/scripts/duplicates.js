// The page of groups of duplicates.

import { startCopying } from "./copy.js";
import { hintOverflow } from "./overflow.js";
import { startTheme } from "./theme.js";

startTheme();
startCopying();
hintOverflow();
