// A native modal dialog with a title and a way out.

import { iconButton } from './controls'
import { h } from './dom'

export interface Dialog {
  readonly element: HTMLDialogElement
  open(): void
  close(): void
}

// Firefox 94 to 97 and Safari before 15.4 know no dialogs; there it is a box that is shown and hidden.
export function dialog(id: string, title: string, ...children: HTMLElement[]): Dialog {
  const element = h('dialog', {
    class: 'vd-dialog',
    id,
    'aria-label': title,
    // A click on the backdrop is a click on the dialog itself.
    onclick: (event) => {
      if (event.target === element) hide()
    },
    onkeydown: (event) => {
      if ((event as KeyboardEvent).key === 'Escape') hide()
    },
  })
  const hide = (): void => {
    if (typeof element.close === 'function') element.close()
    else element.removeAttribute('open')
  }
  const close = iconButton('close', 'Close', () => hide())
  element.append(
    h('div', { class: 'vd-dialog-body' }, h('header', {}, h('h2', {}, title), close), ...children),
  )
  return {
    element,
    open: () => {
      if (element.hasAttribute('open')) return
      if (typeof element.showModal === 'function') element.showModal()
      else element.setAttribute('open', '')
      close.focus()
    },
    close: hide,
  }
}
