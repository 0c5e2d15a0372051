// A page with nothing but the theme switch.

import { listenToTheme } from "./theme.js";

listenToTheme();
