// How a composite is made: of chosen channels, by a recipe, or as a preset of the operator's says.

import type { Preset } from '../api/wire'
import { styleOfPreset } from '../style/preset'
import { isCollapse, NO_RECIPE, RECIPES } from '../style/recipes'
import type { Session } from '../viewer/session'
import { type Part, toggle } from './controls'
import { h, setField } from './dom'

const OTHER = 'other'
const PRESET = 'preset:'

export function recipeField(session: Session): Part {
  const { store, client } = session
  let presets: readonly Preset[] = []
  let typing = false
  const group = h('optgroup', { label: 'Presets' })
  const other = h('option', { value: OTHER }, 'A recipe of your own…')
  const select = h(
    'select',
    { id: 'recipe', onchange: () => choose(select.value) },
    ...RECIPES.map((one) => h('option', { value: one.text }, one.label)),
    other,
  )
  const own = h('input', {
    type: 'text',
    id: 'recipe-text',
    class: 'vd-text',
    spellcheck: 'false',
    'aria-label': 'Recipe',
    placeholder: 'range:656-660nm:red; range:500-502nm:blue',
    onchange: () => session.change({ recipe: own.value.trim(), recipeCuts: [] }),
    onkeydown: (event) => {
      if ((event as KeyboardEvent).key === 'Enter') own.blur()
    },
  })
  const renormalise = toggle('renormalise', 'Make up for channels without a value', (on) =>
    session.change({ renormalise: on }),
  )
  const choose = (value: string): void => {
    typing = value === OTHER
    if (value.startsWith(PRESET)) {
      const preset = presets[Number(value.slice(PRESET.length))]
      const { style, cube } = store.get()
      if (preset) session.change(styleOfPreset(preset, cube, style))
    } else if (!typing) session.change({ recipe: value, recipeCuts: [] })
    render()
    if (typing) own.focus()
  }
  const render = (): void => {
    const { recipe } = store.get().style
    const known = RECIPES.some((one) => one.text === recipe)
    setField(select, known && !typing ? recipe : OTHER)
    own.hidden = known && !typing
    setField(own, recipe)
    renormalise.element.hidden = recipe === NO_RECIPE || isCollapse(recipe)
  }
  store.subscribe(render)
  render()
  void client.presets(session.ref(), new AbortController().signal).then((answer) => {
    if (!answer.ok || answer.value.length === 0) return
    presets = answer.value
    group.append(...presets.map((one, i) => h('option', { value: `${PRESET}${i}` }, one.name)))
    select.append(group)
  })
  return {
    element: h(
      'div',
      { class: 'vd-recipe' },
      h('label', { class: 'vd-field' }, h('span', {}, 'From'), select),
      own,
      renormalise.element,
    ),
  }
}
