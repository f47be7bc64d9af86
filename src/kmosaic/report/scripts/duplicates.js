// The page of groups of duplicates.

import { startCopying } from "./copy.js";
import { byId } from "./dom.js";
import { hintOverflow } from "./overflow.js";
import { startTheme } from "./theme.js";

startTheme(byId("look"));
hintOverflow(".scroll");
startCopying();
