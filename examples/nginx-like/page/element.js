/** Elements whose content is text, whatever is in it: nothing here is ever parsed as markup. */

/** @param content text, or elements */
export function element(tag, className, ...content) {
  const made = document.createElement(tag)
  if (className !== '') made.className = className
  made.append(...content.map((part) => (part instanceof Node ? part : String(part))))
  return made
}

/** Touches the page only where the text is another one. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text
}

export const byId = (id) => document.getElementById(id)

/** Runs `draw` once before the next frame, however often it is asked for. */
export function onNextFrame(draw) {
  let asked = false
  return () => {
    if (asked) return
    asked = true
    requestAnimationFrame(() => {
      asked = false
      draw()
    })
  }
}

/** `1.4 MB` of bytes. */
export function bytesText(bytes) {
  if (bytes < 1000) return `${bytes} B`
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
}

/** `84 µs` of microseconds. */
export function microsText(micros) {
  if (micros < 9.95) return `${micros.toFixed(1)} µs`
  return micros < 999.5 ? `${Math.round(micros)} µs` : `${(micros / 1000).toFixed(1)} ms`
}
