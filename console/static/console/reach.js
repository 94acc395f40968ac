// What the theme leaves to the mouse: elements that do something when clicked, but that the Tab key
// passes by, become buttons; fields that are named by their placeholder alone get it as their label.
const reach = () => {
  const clickable = "a:not([href])[x-on\\:click], span[x-on\\:click], div[x-on\\:click][class*='cursor-pointer']";
  for (const element of document.querySelectorAll(clickable)) {
    if (element.hasAttribute("tabindex") || element.querySelector("a[href], button, input")) continue;
    element.tabIndex = 0;
    element.setAttribute("role", "button");
    if (!element.getAttribute("aria-label")) {
      const icon = element.matches(".material-symbols-outlined") || element.querySelector(".material-symbols-outlined");
      const words = NAMES[element.textContent.trim()];
      if (icon && words) element.setAttribute("aria-label", words);
    }
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      element.click();
    });
  }
  for (const field of document.querySelectorAll("input[placeholder]:not([aria-label])")) {
    if (!field.labels.length) field.setAttribute("aria-label", field.placeholder);
  }
};
// Icons are words of a font; read aloud they say nothing.
const NAMES = { dock_to_right: "Show or hide the side bar", close: "Close", clear_all: "Clear" };
document.addEventListener("DOMContentLoaded", reach);
