// Moves the token from the address into the form, and out of the address and its history.
const takeToken = () => {
  const token = location.hash.slice(1);
  if (!token) return;
  const field = document.getElementById("token");
  field.value = token;
  field.type = "hidden";
  document.getElementById("paste").hidden = true;
  history.replaceState(null, "", location.pathname);
};
takeToken();
// Another link that is followed while this page stands open changes nothing but the fragment.
addEventListener("hashchange", takeToken);
