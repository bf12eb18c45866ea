// Elements of the page. Text is only ever set as text, so that no name and no message becomes markup.

export const $ = (id) => document.getElementById(id);

export function node(tag, text, className) {
  const element = document.createElement(tag);
  if (text != null) element.textContent = text;
  if (className) element.className = className;
  return element;
}

export function button(text, onClick, className) {
  const element = node("button", text, className);
  element.type = "button";
  element.addEventListener("click", onClick);
  return element;
}

export function pairOf([name, value]) {
  const pair = node("div");
  pair.append(node("dt", name), node("dd", value));
  return pair;
}

// What stands there already is left alone: a screen reader would say it again, a selection would go.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
