// A button with data-copy="id" copies what the element with that id says.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const element = document.getElementById(button.dataset.copy);
  const say = (text) => {
    const label = button.textContent;
    button.textContent = text;
    setTimeout(() => (button.textContent = label), 1500);
  };
  // Browsers give the clipboard to pages over TLS only; elsewhere the text is marked for Ctrl-C.
  const mark = () => {
    getSelection().selectAllChildren(element);
    say("Press Ctrl-C");
  };
  if (!navigator.clipboard) return mark();
  navigator.clipboard.writeText(element.textContent.trim()).then(() => say("Copied"), mark);
});
