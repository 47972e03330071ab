// Elements, written down as what they are.

type Handler = (event: Event) => void
type Attributes = Readonly<Record<string, string | number | boolean | undefined | Handler>>
export type Child = Node | string | null

/** `h('button', { class: 'x', onclick: f }, 'Text')`. False and undefined attributes are left out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue
    if (typeof value === 'function') element.addEventListener(name.replace(/^on/, ''), value)
    else element.setAttribute(name, value === true ? '' : String(value))
  }
  element.append(...children.filter((child): child is Node | string => child !== null))
  return element
}

/** Sets a field unless somebody is typing in it. */
export function setField(field: HTMLInputElement | HTMLSelectElement, value: string): void {
  if (document.activeElement === field && field instanceof HTMLInputElement && field.type !== 'range') return
  if (field.value !== value) field.value = value
}
