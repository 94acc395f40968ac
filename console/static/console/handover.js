// Moves the token from the address into the form, and out of the address and its history.
const token = location.hash.slice(1);
if (token) {
  const field = document.getElementById("token");
  field.value = token;
  field.type = "hidden";
  document.getElementById("paste").hidden = true;
  history.replaceState(null, "", location.pathname);
}
