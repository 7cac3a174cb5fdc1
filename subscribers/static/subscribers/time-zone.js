"use strict";

// Of a reader who chose no zone: the browser's is selected, to be saved or not.
const zones = document.getElementById("time_zone");
if (zones && !zones.value) {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...zones.options].some((option) => option.value === here)) zones.value = here;
}
