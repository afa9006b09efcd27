"use strict";
(async () => {
  for (const part of document.querySelectorAll(".packed")) {
    const bytes = Uint8Array.from(atob(part.textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    // an inline script runs as it is put in, and only one whose hash the page's policy names
    document.body.append(Object.assign(document.createElement("script"), { textContent: await new Response(stream).text() }));
  }
})();
