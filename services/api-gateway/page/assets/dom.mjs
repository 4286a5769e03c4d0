// Elements in one line. Texts are always text: nothing here reads markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
        if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children);
    return element;
}

/** An HTML element. */
export function html(tag, attributes = {}, ...children) {
    return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg(tag, attributes = {}, ...children) {
    return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** The element of the document that has this id. */
export function byId(id) {
    return document.getElementById(id);
}

/** Sets a text where it is another one: what has not changed is not announced again, and a selection in it stays. */
export function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

/** Text for screen readers alone. */
export function spoken(text) {
    return html("span", { class: "spoken" }, text);
}
