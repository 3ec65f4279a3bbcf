// Extras only: reading aloud, passing on, the phone's position. Every page works without this file.
(() => {
  "use strict";
  const each = (selector, act) => document.querySelectorAll(selector).forEach(act);

  // Reading aloud, where the browser has a voice. In pieces: Chrome falls silent in long texts.
  const speech = window.speechSynthesis;
  if (speech && window.SpeechSynthesisUtterance) {
    speech.cancel();
    each("[data-aloud]", (button) => {
      const label = button.querySelector("span");
      const idle = label.textContent;
      const tell = (reading) => {
        label.textContent = reading ? button.dataset.aloud : idle;
        button.setAttribute("aria-pressed", String(reading));
      };
      button.hidden = false;
      button.addEventListener("click", () => {
        if (button.getAttribute("aria-pressed") === "true") {
          speech.cancel();
          tell(false);
          return;
        }
        let text = "";
        each("[data-read]", (part) => { text += part.innerText + "\n"; });
        const pieces = text.split(/[\n。；]+/).filter((piece) => piece.trim());
        tell(true);
        pieces.forEach((piece, at) => {
          const said = new SpeechSynthesisUtterance(piece);
          said.lang = "zh-CN";
          said.rate = 0.9;
          if (at === pieces.length - 1) said.onend = () => tell(false);
          speech.speak(said);
        });
      });
    });
    window.addEventListener("pagehide", () => speech.cancel());
  }

  // Passing on: the phone's own sheet, else the address into the clipboard.
  each("[data-share]", (button) => {
    const url = button.dataset.share;
    const done = document.querySelector("[data-shared]");
    if (navigator.share) {
      button.addEventListener("click", () => navigator.share({ title: document.title, url }).catch(() => {}));
    } else if (navigator.clipboard) {
      button.addEventListener("click", () =>
        navigator.clipboard.writeText(url).then(() => { done.textContent = button.dataset.copied; }, () => {}));
    } else {
      return;
    }
    button.hidden = false;
  });
  each("[data-select]", (field) => field.addEventListener("focus", () => field.select()));

  // The phone's position, asked for only after a tap.
  each("[data-locate]", (form) => {
    if (!navigator.geolocation || !window.isSecureContext) return;
    const status = form.querySelector("[role=status]");
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      status.textContent = "正在找…";
      navigator.geolocation.getCurrentPosition(
        (place) => {
          form.elements.lon.value = place.coords.longitude;
          form.elements.lat.value = place.coords.latitude;
          form.submit();
        },
        () => { status.textContent = form.dataset.locate; },
        { timeout: 10000, maximumAge: 600000 },
      );
    });
  });
})();
